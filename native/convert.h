// JavaScript values to IValues and back, by the types of an operator's schema.
#pragma once

#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>
#include <node_api.h>

#include <string>

#include "handles.h"

namespace thaw {

enum class Kind : uint8_t {
  kTensor,
  kInt,
  kFloat,
  kBool,
  kScalar,
  kString,
  kDevice,
  kDType,
  kLayout,
  kMemoryFormat,
  kGenerator,
  kTensorList,
  kOptionalTensorList,
  kIntList,
  kFloatList,
  kBoolList,
  kScalarList,
  kUnsupported,
};

// What is needed to convert one argument, worked out once when the operator is resolved.
struct ArgumentSpec {
  std::string name;
  std::string type;
  Kind kind = Kind::kUnsupported;
  bool optional = false;      // null means None
  bool has_default = false;   // undefined means the default
  int32_t fixed_length = -1;  // int[2]: a single number stands for a list of that length
  c10::IValue default_value;
};

ArgumentSpec MakeArgumentSpec(const c10::Argument& argument);

// Throws std::invalid_argument that names the argument and the type it wants.
c10::IValue ToIValue(napi_env env, napi_value value, const ArgumentSpec& spec);

// Tensors become handles (undefined tensors null), lists arrays, tuples arrays.
napi_value FromIValue(napi_env env, const c10::IValue& value);

napi_value TensorToJs(napi_env env, at::Tensor tensor);
// Throws std::invalid_argument if the handle is stale: `what` names it in the message.
at::Tensor TensorFromJs(napi_env env, napi_value value, const char* what);

at::ScalarType ParseDType(const std::string& name);
const char* DTypeName(at::ScalarType type);
at::MemoryFormat ParseMemoryFormat(const std::string& name);
std::string StringFromJs(napi_env env, napi_value value);
// "float32[4, 3, 32, 32]", for error messages.
std::string Describe(const at::Tensor& tensor);

}  // namespace thaw
