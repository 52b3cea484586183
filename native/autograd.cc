// Autograd and autocast: what is thread state or graph, not an operator.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <napi.h>
#include <torch/csrc/autograd/autograd.h>

#include <memory>
#include <vector>

#include "compat.h"
#include "convert.h"
#include "errors.h"
#include "modules.h"

namespace thaw {

namespace {

std::vector<at::Tensor> TensorsFromJs(const Napi::CallbackInfo& info, size_t i, const char* what) {
  std::vector<at::Tensor> result;
  if (info[i].IsNull() || info[i].IsUndefined()) return result;
  const auto array = info[i].As<Napi::Array>();
  for (uint32_t j = 0; j < array.Length(); ++j) {
    const Napi::Value element = array.Get(j);
    result.push_back(element.IsNull() ? at::Tensor() : TensorFromJs(info.Env(), element, what));
  }
  return result;
}

bool Flag(const Napi::CallbackInfo& info, size_t i) {
  return info[i].IsBoolean() && info[i].As<Napi::Boolean>().Value();
}

// backward(tensors, gradients, retainGraph, createGraph, inputs): accumulates into .grad.
Napi::Value Backward(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    torch::autograd::backward(TensorsFromJs(info, 0, "tensors"),
                              TensorsFromJs(info, 1, "gradients"), Flag(info, 2), Flag(info, 3),
                              TensorsFromJs(info, 4, "inputs"));
    return info.Env().Undefined();
  });
}

// grad(outputs, inputs, gradients, retainGraph, createGraph, allowUnused): handles or nulls.
Napi::Value Grad(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    auto gradients = torch::autograd::grad(
        TensorsFromJs(info, 0, "outputs"), TensorsFromJs(info, 1, "inputs"),
        TensorsFromJs(info, 2, "gradients"), Flag(info, 3), Flag(info, 4), Flag(info, 5));
    auto result = Napi::Array::New(info.Env(), gradients.size());
    for (size_t i = 0; i < gradients.size(); ++i) {
      result.Set(static_cast<uint32_t>(i),
                 Napi::Value(info.Env(), TensorToJs(info.Env(), gradients[i])));
    }
    return result;
  });
}

Napi::Value GradOf(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    const at::Tensor tensor = TensorFromJs(info.Env(), info[0], "tensor");
    return Napi::Value(info.Env(), TensorToJs(info.Env(), tensor.grad()));
  });
}

// gradsOf(tensors): handles or nulls, of all parameters in one call.
Napi::Value GradsOf(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    const auto tensors = TensorsFromJs(info, 0, "tensors");
    auto result = Napi::Array::New(info.Env(), tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) {
      result.Set(static_cast<uint32_t>(i),
                 Napi::Value(info.Env(), TensorToJs(info.Env(), tensors[i].grad())));
    }
    return result;
  });
}

// setGrad(tensor, gradient | null)
Napi::Value SetGrad(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    at::Tensor tensor = TensorFromJs(info.Env(), info[0], "tensor");
    tensor.mutable_grad() =
        info[1].IsNull() ? at::Tensor() : TensorFromJs(info.Env(), info[1], "gradient");
    return info.Env().Undefined();
  });
}

// clearGrads(tensors): zero_grad(set_to_none=True), in one call for all parameters.
Napi::Value ClearGrads(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    for (at::Tensor& tensor : TensorsFromJs(info, 0, "tensors")) tensor.mutable_grad().reset();
    return info.Env().Undefined();
  });
}

Napi::Value RequiresGrad(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    return Napi::Boolean::New(info.Env(),
                              TensorFromJs(info.Env(), info[0], "tensor").requires_grad());
  });
}

Napi::Value SetRequiresGrad(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    TensorFromJs(info.Env(), info[0], "tensor").set_requires_grad(Flag(info, 1));
    return info.Env().Undefined();
  });
}

Napi::Value IsLeaf(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    return Napi::Boolean::New(info.Env(), TensorFromJs(info.Env(), info[0], "tensor").is_leaf());
  });
}

// setGradMode(enabled): returns what it was.
Napi::Value SetGradMode(const Napi::CallbackInfo& info) {
  const ProfiledCall call("setGradMode");
  const bool before = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled(Flag(info, 0));
  return Napi::Boolean::New(info.Env(), before);
}

// Inference mode is a C++ scope guard; JavaScript opens and closes it in stack order.
thread_local std::vector<std::unique_ptr<c10::InferenceMode>> inference_guards;

Napi::Value EnterInference(const Napi::CallbackInfo& info) {
  const ProfiledCall call("enterInference");
  inference_guards.push_back(std::make_unique<c10::InferenceMode>(true));
  return Napi::Number::New(info.Env(), static_cast<double>(inference_guards.size()));
}

// leaveInference(depth): closes the guard that enterInference answered with that depth.
Napi::Value LeaveInference(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    if (inference_guards.size() != info[0].As<Napi::Number>().Uint32Value()) {
      throw std::logic_error("inference mode was left in another order than it was entered");
    }
    inference_guards.pop_back();
    return info.Env().Undefined();
  });
}

// setAutocast(device, enabled, dtype): leaving it drops the cache of cast weights, as a region
// does.
Napi::Value SetAutocastState(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    const c10::Device device(info[0].As<Napi::String>().Utf8Value());
    const bool enabled = Flag(info, 1);
    SetAutocast(device.type(), enabled, ParseDType(info[2].As<Napi::String>()));
    if (enabled) {
      at::autocast::increment_nesting();
    } else if (at::autocast::decrement_nesting() == 0) {
      at::autocast::clear_cache();
    }
    return info.Env().Undefined();
  });
}

}  // namespace

void InitAutograd(Napi::Env env, Napi::Object exports) {
  exports.Set("backward", Napi::Function::New(env, Backward, "backward"));
  exports.Set("grad", Napi::Function::New(env, Grad, "grad"));
  exports.Set("gradOf", Napi::Function::New(env, GradOf, "gradOf"));
  exports.Set("gradsOf", Napi::Function::New(env, GradsOf, "gradsOf"));
  exports.Set("setGrad", Napi::Function::New(env, SetGrad, "setGrad"));
  exports.Set("clearGrads", Napi::Function::New(env, ClearGrads, "clearGrads"));
  exports.Set("requiresGrad", Napi::Function::New(env, RequiresGrad, "requiresGrad"));
  exports.Set("setRequiresGrad", Napi::Function::New(env, SetRequiresGrad, "setRequiresGrad"));
  exports.Set("isLeaf", Napi::Function::New(env, IsLeaf, "isLeaf"));
  exports.Set("setGradMode", Napi::Function::New(env, SetGradMode, "setGradMode"));
  exports.Set("enterInference", Napi::Function::New(env, EnterInference, "enterInference"));
  exports.Set("leaveInference", Napi::Function::New(env, LeaveInference, "leaveInference"));
  exports.Set("setAutocast", Napi::Function::New(env, SetAutocastState, "setAutocast"));
}

}  // namespace thaw
