// The loops of a transformer's block that libtorch's oldest supported version takes a third of a
// training step for: GELU, softmax and layer norm, forward and backward.
#pragma once

#include <cstdint>

namespace thaw {

// Values are the bits of bfloat16; all sums and functions are in fp32.
struct TransformerKernels {
  // y = x * Phi(x), Phi the normal distribution, and unless `slope` is null its derivative.
  void (*gelu)(const uint16_t* x, int64_t count, uint16_t* y, uint16_t* slope);
  // y = a * b.
  void (*multiply)(const uint16_t* a, const uint16_t* b, int64_t count, uint16_t* y);
  // Each of `count` rows becomes softmax(scale * row). `width` is at most kMaxSoftmaxWidth.
  void (*softmax)(uint16_t* rows, int64_t count, int64_t width, float scale);
  // The gradient `g` by softmax's result `p` becomes that by its input, row by row.
  void (*softmax_backward)(const uint16_t* p, uint16_t* g, int64_t count, int64_t width,
                           float scale);
  // y = (row - mean) / deviation * weight + bias, and of each row mean and 1 / deviation. `width`
  // is a multiple of kLanes and at most kMaxNormWidth.
  void (*layer_norm)(const float* x, int64_t count, int64_t width, const float* weight,
                     const float* bias, float eps, uint16_t* y, float* mean, float* inverse_std);
  // The gradients by x and, added to what is there, by weight and bias.
  void (*layer_norm_backward)(const uint16_t* g, const float* x, const float* mean,
                              const float* inverse_std, const float* weight, int64_t count,
                              int64_t width, float* dx, double* dweight, double* dbias);
};

// A row is held in fp32 on the stack, where the first-level cache has it.
constexpr int64_t kMaxSoftmaxWidth = 2048;
constexpr int64_t kMaxNormWidth = 2048;

}  // namespace thaw
