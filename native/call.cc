// The door: resolve an operator's schema once, then call it boxed.
#include <ATen/core/dispatch/Dispatcher.h>
#include <napi.h>

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "convert.h"
#include "errors.h"
#include "modules.h"

namespace thaw {

namespace {

struct Operator {
  c10::OperatorHandle handle;
  std::string name;
  std::vector<ArgumentSpec> arguments;
  std::vector<bool>
      written;  // A result that aliases an argument written to: in-place and out= forms.
  bool returns_nothing_new = true;
};

constexpr size_t kMaxArguments = 32;

std::mutex registry_mutex;
std::vector<std::unique_ptr<Operator>> registry;
std::unordered_map<std::string, uint32_t> index_of;

c10::OperatorName SplitName(const std::string& full) {
  const size_t dot = full.find('.', full.find("::"));
  if (dot == std::string::npos) return c10::OperatorName(full, "");
  return c10::OperatorName(full.substr(0, dot), full.substr(dot + 1));
}

bool WritesTo(const c10::Argument& argument) {
  return argument.alias_info() != nullptr && argument.alias_info()->isWrite();
}

std::unique_ptr<Operator> MakeOperator(const std::string& name) {
  auto handle = c10::Dispatcher::singleton().findSchema(SplitName(name));
  if (!handle) {
    throw std::invalid_argument("libtorch has no operator " + name);
  }
  auto op = std::unique_ptr<Operator>(new Operator{*handle, name, {}, {}, true});
  for (const auto& argument : handle->schema().arguments()) {
    op->arguments.push_back(MakeArgumentSpec(argument));
  }
  if (op->arguments.size() > kMaxArguments) {
    throw std::invalid_argument(name + " has more arguments than this door carries");
  }
  for (const auto& result : handle->schema().returns()) {
    op->written.push_back(WritesTo(result));
    if (!WritesTo(result)) op->returns_nothing_new = false;
  }
  return op;
}

std::string DescribeArguments(const Operator& op, const torch::jit::Stack& arguments) {
  std::string text;
  for (size_t i = 0; i < arguments.size() && i < op.arguments.size(); ++i) {
    const auto& value = arguments[i];
    std::string shape;
    if (value.isTensor()) {
      shape = Describe(value.toTensor());
    } else if (value.isTensorList()) {
      const auto list = value.toTensorVector();
      for (size_t j = 0; j < list.size() && j < 8; ++j) {
        shape += (j == 0 ? "(" : ", ") + Describe(list[j]);
      }
      shape += list.size() > 8 ? ", …)" : ")";
    } else {
      continue;
    }
    text += (text.empty() ? "" : ", ") + op.arguments[i].name + " " + shape;
  }
  return text;
}

Operator* OperatorAt(napi_env env, napi_value value) {
  uint32_t index = 0;
  if (napi_get_value_uint32(env, value, &index) != napi_ok) return nullptr;
  std::lock_guard<std::mutex> lock(registry_mutex);
  return index < registry.size() ? registry[index].get() : nullptr;
}

// call(operator, ...arguments): plain Node-API, since this is the path that every operator takes.
napi_value Call(napi_env env, napi_callback_info info) {
  size_t count = kMaxArguments + 1;
  napi_value values[kMaxArguments + 1];
  if (napi_get_cb_info(env, info, &count, values, nullptr, nullptr) != napi_ok || count == 0) {
    napi_throw_error(env, nullptr, "call(operator, ...arguments)");
    return nullptr;
  }
  const Operator* op = OperatorAt(env, values[0]);
  if (op == nullptr) {
    napi_throw_error(env, nullptr, "call: the operator was never resolved");
    return nullptr;
  }
  const ProfiledCall call(op->name.c_str());
  torch::jit::Stack stack;
  // The stack is consumed by the call; for the message of an error the tensors are read before.
  std::string description;
  try {
    const size_t wanted = op->arguments.size();
    stack.reserve(std::max(wanted, op->written.size()));
    if (count - 1 > wanted) {
      throw std::invalid_argument("takes " + std::to_string(wanted) + " arguments, got " +
                                  std::to_string(count - 1));
    }
    napi_value undefined = nullptr;
    for (size_t i = 0; i < wanted; ++i) {
      napi_value value = nullptr;
      if (i + 1 < count) {
        value = values[i + 1];
      } else {
        if (undefined == nullptr) napi_get_undefined(env, &undefined);
        value = undefined;
      }
      stack.push_back(ToIValue(env, value, op->arguments[i]));
    }
    op->handle.callBoxed(&stack);
    napi_value result = nullptr;
    if (op->returns_nothing_new) return result;
    if (stack.size() == 1) return FromIValue(env, stack[0]);
    napi_create_array_with_length(env, stack.size(), &result);
    for (size_t i = 0; i < stack.size(); ++i) {
      if (op->written[i]) continue;
      napi_set_element(env, result, static_cast<uint32_t>(i), FromIValue(env, stack[i]));
    }
    return result;
  } catch (const std::exception& error) {
    // A failed kernel has dropped its arguments from the stack: convert them again for the message.
    torch::jit::Stack arguments;
    try {
      for (size_t i = 0; i < op->arguments.size() && i + 1 < count; ++i) {
        arguments.push_back(ToIValue(env, values[i + 1], op->arguments[i]));
      }
    } catch (const std::exception&) {
      // What could be converted is described.
    }
    const std::string shapes = DescribeArguments(*op, arguments);
    const std::string message =
        op->name + ": " + MessageOf(error) + (shapes.empty() ? "" : " [" + shapes + "]");
    napi_throw_error(env, "LIBTORCH", message.c_str());
    return nullptr;
  }
}

Napi::Value Resolve(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    const std::string name = info[0].As<Napi::String>();
    std::lock_guard<std::mutex> lock(registry_mutex);
    const auto found = index_of.find(name);
    if (found != index_of.end()) return Napi::Number::New(info.Env(), found->second);
    const auto index = static_cast<uint32_t>(registry.size());
    registry.push_back(MakeOperator(name));
    index_of.emplace(name, index);
    return Napi::Number::New(info.Env(), index);
  });
}

// hasOperator(name, backend?): does the dispatcher know it, and has it a kernel for that backend?
Napi::Value HasOperator(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    const auto found =
        c10::Dispatcher::singleton().findSchema(SplitName(info[0].As<Napi::String>()));
    bool has = found.has_value();
    if (has && info[1].IsString()) {
      const std::string backend = info[1].As<Napi::String>();
      const auto key = c10::parseDispatchKey(backend);
      has = found->hasKernelForDispatchKey(key) ||
            found->hasKernelForDispatchKey(c10::DispatchKey::CompositeImplicitAutograd) ||
            found->hasKernelForDispatchKey(c10::DispatchKey::CompositeExplicitAutograd);
    }
    return Napi::Boolean::New(info.Env(), has);
  });
}

// schema(name): the schema as libtorch prints it, and its parts for the facade generator.
Napi::Value Schema(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const std::string name = info[0].As<Napi::String>();
    const auto op = MakeOperator(name);
    const auto& schema = op->handle.schema();
    auto result = Napi::Object::New(env);
    std::ostringstream text;
    text << schema;
    result.Set("text", text.str());
    auto arguments = Napi::Array::New(env);
    uint32_t i = 0;
    for (const auto& argument : schema.arguments()) {
      const ArgumentSpec& spec = op->arguments[i];
      auto entry = Napi::Object::New(env);
      entry.Set("name", spec.name);
      entry.Set("type", spec.type);
      entry.Set("kind", static_cast<int>(spec.kind));
      entry.Set("optional", spec.optional);
      entry.Set("hasDefault", spec.has_default);
      entry.Set("kwargOnly", argument.kwarg_only());
      entry.Set("written", WritesTo(argument));
      entry.Set("fixedLength", spec.fixed_length);
      arguments.Set(i++, entry);
    }
    result.Set("arguments", arguments);
    auto returns = Napi::Array::New(env);
    i = 0;
    for (const auto& value : schema.returns()) {
      auto entry = Napi::Object::New(env);
      entry.Set("type", value.type()->repr_str());
      entry.Set("written", WritesTo(value));
      returns.Set(i++, entry);
    }
    result.Set("returns", returns);
    return result;
  });
}

Napi::Value OperatorNames(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    const auto names = c10::Dispatcher::singleton().getAllOpNames();
    auto result = Napi::Array::New(info.Env(), names.size());
    uint32_t i = 0;
    for (const auto& name : names) {
      result.Set(i++,
                 name.overload_name.empty() ? name.name : name.name + "." + name.overload_name);
    }
    return result;
  });
}

}  // namespace

void InitCall(Napi::Env env, Napi::Object exports) {
  napi_value call;
  napi_create_function(env, "call", NAPI_AUTO_LENGTH, Call, nullptr, &call);
  exports.Set("call", Napi::Value(env, call));
  exports.Set("resolve", Napi::Function::New(env, Resolve, "resolve"));
  exports.Set("hasOperator", Napi::Function::New(env, HasOperator, "hasOperator"));
  exports.Set("schema", Napi::Function::New(env, Schema, "schema"));
  exports.Set("operatorNames", Napi::Function::New(env, OperatorNames, "operatorNames"));
}

}  // namespace thaw
