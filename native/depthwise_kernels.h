// The backward pass of depthwise convolutions, in a source that is compiled once for each
// instruction set: pointers and counts alone, no tensors.
#pragma once

#include <cstdint>

namespace thaw {

// Images in channels_last memory; kernel, stride and padding are those of both axes.
struct DepthwiseShape {
  int64_t height, width;          // of an image of the input
  int64_t out_height, out_width;  // of an image of the output
  int64_t channels;               // at least kLanes
  int64_t kernel, stride, padding;
};

// Values are the bits of bfloat16, weights fp32 [kernel * kernel, channels].
struct DepthwiseKernels {
  // The gradient by the input, of its rows `begin` to `end`, counted over all images.
  void (*backward_input)(const uint16_t* g, const float* weight, const DepthwiseShape& shape,
                         int64_t begin, int64_t end, uint16_t* dx);
  // Adds to `dweight` the gradient by the weight of the output's rows `begin` to `end`, counted
  // over all images.
  void (*backward_weight)(const uint16_t* x, const uint16_t* g, const DepthwiseShape& shape,
                          int64_t begin, int64_t end, double* dweight);
};

// A row of a kernel's sums is held in registers.
constexpr int64_t kMaxDepthwiseKernel = 7;

}  // namespace thaw
