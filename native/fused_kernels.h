// Loops that libtorch would make several passes over memory for. They know no tensors: pointers and
// counts alone, so that the same source can be compiled once for each instruction set.
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

struct AdamOptions {
  float rate;          // learning rate with both bias corrections
  float beta1, rest1;  // rest = 1 - beta, rounded once: in fp32, 1 - 0.999f is 1e-5 off
  float beta2, rest2;
  float eps;     // times the second bias correction
  float shrink;  // factor of the parameter before the step, 1 without decoupled decay
  float l2;      // share of the parameter added to the gradient
};

// `T` is float, or uint16_t for the bits of a bfloat16. Rows are pixels; pooled rows are rows of
// pooled pixels over all images. Everything is added to what the accumulators hold.
template <typename T>
struct PoolKernels {
  // Sum and sum of squares of x - shift, a value a channel.
  void (*statistics)(const T* x, int64_t rows, int64_t channels, const float* shift, double* sum,
                     double* squares);
  // y = relu(max of the window of scale * x + offset), and which pixel it was.
  void (*forward)(const T* x, const PoolShape& shape, const float* scale, const float* offset,
                  int64_t begin, int64_t end, T* y, uint8_t* which);
  // Sums of g and of g * (x - mean) over the pixels that the maximum came from.
  void (*reduce)(const T* x, const T* g, const uint8_t* which, const PoolShape& shape,
                 const float* mean, int64_t begin, int64_t end, double* sum, double* product);
  // dx = a * g (where the pixel was the maximum) + b + c * x.
  void (*backward)(const T* x, const T* g, const uint8_t* which, const PoolShape& shape,
                   const float* a, const float* b, const float* c, int64_t begin, int64_t end,
                   T* dx);
};

struct Kernels {
  PoolKernels<float> fp32;
  PoolKernels<uint16_t> bf16;
  void (*adam)(float* parameter, const float* gradient, float* average, float* square_average,
               int64_t count, const AdamOptions& options);
};

}  // namespace thaw
