// Batch norm by the batch's statistics with what follows it, in a source that is compiled once for
// each instruction set: pointers and counts alone, no tensors.
#pragma once

#include <cstdint>

namespace thaw {

// Images in channels_last memory and what 2x2 pooling makes of them.
struct PoolShape {
  int64_t height;
  int64_t width;
  int64_t channels;  // a multiple of kLanes
  int64_t out_height() const { return height / 2; }
  int64_t out_width() const { return width / 2; }
};

// Which of the four pixels of a window was the largest, row by row; kCutOff where the ReLU cut it
// off.
constexpr int kCutOff = 4;

// `T` is float, or uint16_t for the bits of a bfloat16. Rows are pixels; pooled rows are rows of
// pooled pixels over all images. Everything is added to what the accumulators hold.
template <typename T>
struct BatchNormKernelsOf {
  // Sum and sum of squares of x - shift, a value a channel.
  void (*statistics)(const T* x, int64_t rows, int64_t channels, const float* shift, double* sum,
                     double* squares);

  // y = relu(scale * x + offset + residual); the residual may be null.
  void (*relu_forward)(const T* x, const T* residual, int64_t rows, int64_t channels,
                       const float* scale, const float* offset, T* y);
  // Sums of g and of g * (x - mean) where the ReLU let y through. `passed` is given where there was
  // a residual: it becomes its gradient, g where y was let through and else 0.
  void (*relu_reduce)(const T* x, const T* g, const T* y, int64_t rows, int64_t channels,
                      const float* mean, T* passed, double* sum, double* product);
  // dx = a * g (where y was let through; everywhere if y is null) + b + c * x.
  void (*relu_backward)(const T* x, const T* g, const T* y, int64_t rows, int64_t channels,
                        const float* a, const float* b, const float* c, T* dx);

  // y = relu(max of the window of scale * x + offset), and which pixel it was.
  void (*pool_forward)(const T* x, const PoolShape& shape, const float* scale, const float* offset,
                       int64_t begin, int64_t end, T* y, uint8_t* which);
  // Sums of g and of g * (x - mean) over the pixels that the maximum came from.
  void (*pool_reduce)(const T* x, const T* g, const uint8_t* which, const PoolShape& shape,
                      const float* mean, int64_t begin, int64_t end, double* sum, double* product);
  // dx = a * g (where the pixel was the maximum) + b + c * x.
  void (*pool_backward)(const T* x, const T* g, const uint8_t* which, const PoolShape& shape,
                        const float* a, const float* b, const float* c, int64_t begin, int64_t end,
                        T* dx);
};

struct BatchNormKernels {
  BatchNormKernelsOf<float> fp32;
  BatchNormKernelsOf<uint16_t> bf16;
};

}  // namespace thaw
