// The few places where libtorch 1.13 and 2.x differ at compile time, and nothing else.
#pragma once

#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <torch/version.h>

#include <optional>

#define THAW_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) ||       \
   (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

namespace thaw {

#if THAW_TORCH_AT_LEAST(2, 4)
template <typename T>
using Optional = std::optional<T>;
inline constexpr std::nullopt_t kNone = std::nullopt;
#else
template <typename T>
using Optional = c10::optional<T>;
inline constexpr c10::nullopt_t kNone = c10::nullopt;
#endif

// The dtype first: where libtorch refuses it, nothing is enabled.
inline void SetAutocast(c10::DeviceType device, bool enabled, at::ScalarType dtype) {
#if THAW_TORCH_AT_LEAST(2, 4)
  at::autocast::set_autocast_dtype(device, dtype);
  at::autocast::set_autocast_enabled(device, enabled);
#else
  if (device == c10::DeviceType::CUDA) {
    at::autocast::set_autocast_gpu_dtype(dtype);
    at::autocast::set_enabled(enabled);
  } else {
    at::autocast::set_autocast_cpu_dtype(dtype);
    at::autocast::set_cpu_enabled(enabled);
  }
#endif
}

}  // namespace thaw
