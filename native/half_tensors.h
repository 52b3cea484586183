// What the addon's operators on bfloat16 share: bits for the kernels, and no second derivative.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace thaw {

inline uint16_t* Bits(const at::Tensor& tensor) {
  return static_cast<uint16_t*>(tensor.data_ptr());
}

// The kernels' gradients would stand in no graph.
inline void RefuseSecondDerivative(const char* operation) {
  TORCH_CHECK(!at::GradMode::is_enabled(), operation,
              " has no second derivative in bfloat16: compute in float32");
}

}  // namespace thaw
