#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 sees an atomic load of libtorch's reference counts, inlined here, as out of bounds.
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#endif

#include "convert.h"

#include <ATen/core/List.h>
#include <ATen/core/jit_type.h>

#include <array>
#include <cmath>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "compat.h"

namespace thaw {

namespace {

constexpr std::array<std::pair<const char*, at::ScalarType>, 10> kDTypes = {{
    {"float32", at::kFloat},
    {"float64", at::kDouble},
    {"float16", at::kHalf},
    {"bfloat16", at::kBFloat16},
    {"uint8", at::kByte},
    {"int8", at::kChar},
    {"int16", at::kShort},
    {"int32", at::kInt},
    {"int64", at::kLong},
    {"bool", at::kBool},
}};

[[noreturn]] void Wrong(const ArgumentSpec& spec, const std::string& got) {
  throw std::invalid_argument("argument '" + spec.name + "' wants " + spec.type + ", got " + got);
}

const char* TypeName(napi_valuetype type) {
  switch (type) {
    case napi_undefined:
      return "nothing";
    case napi_null:
      return "null";
    case napi_boolean:
      return "a boolean";
    case napi_number:
      return "a number";
    case napi_string:
      return "a string";
    case napi_bigint:
      return "a bigint";
    case napi_function:
      return "a function";
    default:
      return "an object";
  }
}

napi_valuetype TypeOf(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  return type;
}

bool IsArray(napi_env env, napi_value value) {
  bool is_array = false;
  napi_is_array(env, value, &is_array);
  return is_array;
}

double NumberOf(napi_env env, napi_value value, const ArgumentSpec& spec) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok) {
    Wrong(spec, TypeName(TypeOf(env, value)));
  }
  return number;
}

int64_t IntOf(napi_env env, napi_value value, const ArgumentSpec& spec) {
  if (TypeOf(env, value) == napi_bigint) {
    int64_t big = 0;
    bool lossless = false;
    napi_get_value_bigint_int64(env, value, &big, &lossless);
    if (!lossless) Wrong(spec, "a bigint beyond 64 bits");
    return big;
  }
  const double number = NumberOf(env, value, spec);
  if (!(std::trunc(number) == number) || std::abs(number) > 9007199254740992.0) {
    Wrong(spec, "the number " + std::to_string(number));
  }
  return static_cast<int64_t>(number);
}

bool BoolOf(napi_env env, napi_value value, const ArgumentSpec& spec) {
  bool flag = false;
  if (napi_get_value_bool(env, value, &flag) != napi_ok) Wrong(spec, TypeName(TypeOf(env, value)));
  return flag;
}

// JavaScript has one number type: an integral number is an int scalar, as it is when typed in
// Python.
at::Scalar ScalarOf(napi_env env, napi_value value, const ArgumentSpec& spec) {
  if (TypeOf(env, value) == napi_boolean) return at::Scalar(BoolOf(env, value, spec));
  if (TypeOf(env, value) == napi_bigint) return at::Scalar(IntOf(env, value, spec));
  const double number = NumberOf(env, value, spec);
  if (std::trunc(number) == number && std::abs(number) <= 9007199254740992.0) {
    return at::Scalar(static_cast<int64_t>(number));
  }
  return at::Scalar(number);
}

at::Tensor TensorOf(napi_env env, napi_value value, const ArgumentSpec& spec) {
  double handle = 0;
  if (napi_get_value_double(env, value, &handle) != napi_ok) {
    Wrong(spec, TypeName(TypeOf(env, value)));
  }
  at::Tensor tensor;
  if (!Tensors().Get(handle, &tensor)) {
    throw std::invalid_argument("argument '" + spec.name + "' is a tensor that was disposed");
  }
  return tensor;
}

template <typename Each>
void ForEach(napi_env env, napi_value value, const ArgumentSpec& spec, Each each) {
  if (!IsArray(env, value)) Wrong(spec, TypeName(TypeOf(env, value)));
  uint32_t length = 0;
  napi_get_array_length(env, value, &length);
  for (uint32_t i = 0; i < length; ++i) {
    napi_value element;
    if (napi_get_element(env, value, i, &element) != napi_ok) Wrong(spec, "an unreadable array");
    each(element);
  }
}

Kind KindOf(const c10::TypePtr& type, const c10::TypePtr& real) {
  switch (real->kind()) {
    case c10::TypeKind::ScalarTypeType:
      return Kind::kDType;
    case c10::TypeKind::LayoutType:
      return Kind::kLayout;
    case c10::TypeKind::MemoryFormatType:
      return Kind::kMemoryFormat;
    default:
      break;
  }
  switch (type->kind()) {
    case c10::TypeKind::TensorType:
      return Kind::kTensor;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType:
      return Kind::kInt;
    case c10::TypeKind::FloatType:
      return Kind::kFloat;
    case c10::TypeKind::BoolType:
      return Kind::kBool;
    case c10::TypeKind::NumberType:
      return Kind::kScalar;
    case c10::TypeKind::StringType:
      return Kind::kString;
    case c10::TypeKind::DeviceObjType:
      return Kind::kDevice;
    case c10::TypeKind::GeneratorType:
      return Kind::kGenerator;
    case c10::TypeKind::ListType: {
      const auto element = type->castRaw<c10::ListType>()->getElementType();
      switch (element->kind()) {
        case c10::TypeKind::TensorType:
          return Kind::kTensorList;
        case c10::TypeKind::OptionalType:
          return Kind::kOptionalTensorList;
        case c10::TypeKind::IntType:
        case c10::TypeKind::SymIntType:
          return Kind::kIntList;
        case c10::TypeKind::FloatType:
          return Kind::kFloatList;
        case c10::TypeKind::BoolType:
          return Kind::kBoolList;
        case c10::TypeKind::NumberType:
          return Kind::kScalarList;
        default:
          return Kind::kUnsupported;
      }
    }
    default:
      return Kind::kUnsupported;
  }
}

c10::TypePtr WithoutOptional(const c10::TypePtr& type) {
  if (type->kind() != c10::TypeKind::OptionalType) return type;
  return type->castRaw<c10::OptionalType>()->getElementType();
}

at::Layout ParseLayout(const std::string& name) {
  if (name == "strided") return at::kStrided;
  if (name == "mkldnn") return at::kMkldnn;
  throw std::invalid_argument("unknown layout '" + name + "' (strided, mkldnn)");
}

napi_value NumberToJs(napi_env env, double number) {
  napi_value result;
  napi_create_double(env, number, &result);
  return result;
}

napi_value NullOf(napi_env env) {
  napi_value result;
  napi_get_null(env, &result);
  return result;
}

template <typename List, typename Convert>
napi_value ArrayToJs(napi_env env, const List& list, Convert convert) {
  napi_value result;
  napi_create_array_with_length(env, list.size(), &result);
  uint32_t i = 0;
  for (const auto& element : list) napi_set_element(env, result, i++, convert(element));
  return result;
}

}  // namespace

at::ScalarType ParseDType(const std::string& name) {
  for (const auto& entry : kDTypes) {
    if (name == entry.first) return entry.second;
  }
  throw std::invalid_argument("unknown dtype '" + name + "'");
}

const char* DTypeName(at::ScalarType type) {
  for (const auto& entry : kDTypes) {
    if (type == entry.second) return entry.first;
  }
  return at::toString(type);
}

at::MemoryFormat ParseMemoryFormat(const std::string& name) {
  if (name == "contiguous") return at::MemoryFormat::Contiguous;
  if (name == "channels_last") return at::MemoryFormat::ChannelsLast;
  if (name == "preserve") return at::MemoryFormat::Preserve;
  throw std::invalid_argument("unknown memory format '" + name +
                              "' (contiguous, channels_last, preserve)");
}

std::string StringFromJs(napi_env env, napi_value value) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) {
    throw std::invalid_argument(std::string("a string is wanted, got ") +
                                TypeName(TypeOf(env, value)));
  }
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, text.data(), length + 1, &length);
  return text;
}

std::string Describe(const at::Tensor& tensor) {
  if (!tensor.defined()) return "undefined";
  std::ostringstream out;
  out << DTypeName(tensor.scalar_type()) << '[';
  for (int64_t i = 0; i < tensor.dim(); ++i) out << (i == 0 ? "" : ", ") << tensor.size(i);
  out << ']';
  return out.str();
}

ArgumentSpec MakeArgumentSpec(const c10::Argument& argument) {
  ArgumentSpec spec;
  spec.name = argument.name();
  spec.type = argument.real_type()->repr_str();
  spec.optional = argument.type()->kind() == c10::TypeKind::OptionalType;
  spec.kind = KindOf(WithoutOptional(argument.type()), WithoutOptional(argument.real_type()));
  if (argument.N()) spec.fixed_length = static_cast<int32_t>(*argument.N());
  if (argument.default_value()) {
    spec.has_default = true;
    spec.default_value = *argument.default_value();
  } else if (spec.kind == Kind::kGenerator || spec.optional) {
    spec.has_default = true;  // An optional argument without a default is None when left out.
  }
  return spec;
}

c10::IValue ToIValue(napi_env env, napi_value value, const ArgumentSpec& spec) {
  const napi_valuetype type = TypeOf(env, value);
  if (type == napi_undefined) {
    if (!spec.has_default) Wrong(spec, "nothing");
    return spec.default_value;
  }
  if (type == napi_null) {
    if (!spec.optional) Wrong(spec, "null");
    return c10::IValue();
  }
  switch (spec.kind) {
    case Kind::kTensor:
      return TensorOf(env, value, spec);
    case Kind::kInt:
      return IntOf(env, value, spec);
    case Kind::kFloat:
      return NumberOf(env, value, spec);
    case Kind::kBool:
      return BoolOf(env, value, spec);
    case Kind::kScalar:
      return ScalarOf(env, value, spec);
    case Kind::kString:
      return StringFromJs(env, value);
    case Kind::kDevice:
      return c10::Device(StringFromJs(env, value));
    case Kind::kDType:
      return static_cast<int64_t>(ParseDType(StringFromJs(env, value)));
    case Kind::kLayout:
      return static_cast<int64_t>(ParseLayout(StringFromJs(env, value)));
    case Kind::kMemoryFormat:
      return static_cast<int64_t>(ParseMemoryFormat(StringFromJs(env, value)));
    case Kind::kGenerator: {
      at::Generator generator;
      if (!Generators().Get(NumberOf(env, value, spec), &generator)) {
        throw std::invalid_argument("argument '" + spec.name +
                                    "' is a generator that was disposed");
      }
      return generator;
    }
    case Kind::kTensorList: {
      c10::List<at::Tensor> list;
      ForEach(env, value, spec, [&](napi_value e) { list.push_back(TensorOf(env, e, spec)); });
      return list;
    }
    case Kind::kOptionalTensorList: {
      c10::List<Optional<at::Tensor>> list;
      ForEach(env, value, spec, [&](napi_value e) {
        if (TypeOf(env, e) == napi_null) {
          list.push_back(kNone);
        } else {
          list.push_back(TensorOf(env, e, spec));
        }
      });
      return list;
    }
    case Kind::kIntList: {
      c10::List<int64_t> list;
      if (spec.fixed_length > 0 && type == napi_number) {
        for (int32_t i = 0; i < spec.fixed_length; ++i) list.push_back(IntOf(env, value, spec));
      } else {
        ForEach(env, value, spec, [&](napi_value e) { list.push_back(IntOf(env, e, spec)); });
      }
      return list;
    }
    case Kind::kFloatList: {
      c10::List<double> list;
      ForEach(env, value, spec, [&](napi_value e) { list.push_back(NumberOf(env, e, spec)); });
      return list;
    }
    case Kind::kBoolList: {
      c10::List<bool> list;
      if (spec.fixed_length > 0 && type == napi_boolean) {
        for (int32_t i = 0; i < spec.fixed_length; ++i) list.push_back(BoolOf(env, value, spec));
      } else {
        ForEach(env, value, spec, [&](napi_value e) { list.push_back(BoolOf(env, e, spec)); });
      }
      return list;
    }
    case Kind::kScalarList: {
      c10::List<at::Scalar> list;
      ForEach(env, value, spec, [&](napi_value e) { list.push_back(ScalarOf(env, e, spec)); });
      return list;
    }
    case Kind::kUnsupported:
      break;
  }
  throw std::invalid_argument("argument '" + spec.name + "' has type " + spec.type +
                              ", which this door does not carry");
}

napi_value TensorToJs(napi_env env, at::Tensor tensor) {
  if (!tensor.defined()) return NullOf(env);
  return NumberToJs(env, Tensors().Add(std::move(tensor)));
}

at::Tensor TensorFromJs(napi_env env, napi_value value, const char* what) {
  ArgumentSpec spec;
  spec.name = what;
  spec.type = "Tensor";
  return TensorOf(env, value, spec);
}

napi_value FromIValue(napi_env env, const c10::IValue& value) {
  if (value.isTensor()) return TensorToJs(env, value.toTensor());
  if (value.isNone()) return NullOf(env);
  if (value.isInt()) return NumberToJs(env, static_cast<double>(value.toInt()));
  if (value.isDouble()) return NumberToJs(env, value.toDouble());
  if (value.isBool()) {
    napi_value result;
    napi_get_boolean(env, value.toBool(), &result);
    return result;
  }
  if (value.isScalar()) return NumberToJs(env, value.toScalar().toDouble());
  if (value.isString()) {
    napi_value result;
    const std::string& text = value.toStringRef();
    napi_create_string_utf8(env, text.data(), text.size(), &result);
    return result;
  }
  if (value.isTensorList()) {
    return ArrayToJs(env, value.toTensorVector(),
                     [&](const at::Tensor& tensor) { return TensorToJs(env, tensor); });
  }
  if (value.isIntList()) {
    return ArrayToJs(env, value.toIntVector(),
                     [&](int64_t n) { return NumberToJs(env, static_cast<double>(n)); });
  }
  if (value.isDoubleList()) {
    return ArrayToJs(env, value.toDoubleVector(), [&](double n) { return NumberToJs(env, n); });
  }
  throw std::invalid_argument("a result of type " + value.tagKind() +
                              " cannot be handed to JavaScript");
}

}  // namespace thaw
