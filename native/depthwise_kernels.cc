// Compiled once for each instruction set, with its name in THAW_DEPTHWISE_KERNELS (CMakeLists.txt).
#include "depthwise_kernels.h"

#include "lanes.h"

namespace thaw {

namespace {

int64_t Least(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t Most(int64_t a, int64_t b) { return a > b ? a : b; }

// Where a number of channels is no multiple of kLanes, the last lanes overlap those before.
int64_t BlockStart(int64_t c, int64_t channels) { return Least(c, channels - kLanes); }

// What one pixel's gradient is made of: a pixel of the output's, and the weights between the two.
struct Tap {
  const uint16_t* g;
  const float* weight;
};

void BackwardInput(const uint16_t* g, const float* weight, const DepthwiseShape& shape,
                   int64_t begin, int64_t end, uint16_t* dx) {
  const auto [height, width, out_height, out_width, channels, kernel, stride, padding] = shape;
  Tap taps[kMaxDepthwiseKernel * kMaxDepthwiseKernel];
  for (int64_t row = begin; row < end; ++row) {
    const int64_t image = row / height, y = row % height + padding;
    for (int64_t column = 0; column < width; ++column) {
      const int64_t x = column + padding;
      int count = 0;
      for (int64_t ky = y % stride; ky < kernel && ky <= y; ky += stride) {
        const int64_t out_y = (y - ky) / stride;
        if (out_y >= out_height) continue;
        for (int64_t kx = x % stride; kx < kernel && kx <= x; kx += stride) {
          const int64_t out_x = (x - kx) / stride;
          if (out_x >= out_width) continue;
          const int64_t pixel = (image * out_height + out_y) * out_width + out_x;
          taps[count++] = {g + pixel * channels, weight + (ky * kernel + kx) * channels};
        }
      }
      uint16_t* to = dx + (row * width + column) * channels;
      for (int64_t start = 0; start < channels; start += kLanes) {
        const int64_t c = BlockStart(start, channels);
        Floats sum{};
        for (int i = 0; i < count; ++i) sum += Load(taps[i].g + c) * Load(taps[i].weight + c);
        Store(to + c, sum);
      }
    }
  }
}

// One row of a kernel, of one row of the output: `sums` gets a number for each column of the
// kernel.
template <int kKernel>
void AddRow(const uint16_t* x, const uint16_t* g, const DepthwiseShape& shape, Floats counts,
            Floats* sums) {
  const auto [height, width, out_height, out_width, channels, kernel, stride, padding] = shape;
  // Output columns for which every column of the kernel lies on the image.
  const int64_t first = Least(out_width, (padding + stride - 1) / stride);
  const int64_t last = Most(first, Least(out_width, (width - kKernel + padding) / stride + 1));
  const auto edge = [&](int64_t column) {
    const Floats gradient = Load(g + column * channels) * counts;
    for (int k = 0; k < kKernel; ++k) {
      const int64_t at = column * stride + k - padding;
      if (at >= 0 && at < width) sums[k] += gradient * Load(x + at * channels);
    }
  };
  for (int64_t column = 0; column < first; ++column) edge(column);
  Floats inner[kKernel];
  for (int k = 0; k < kKernel; ++k) inner[k] = sums[k];
  for (int64_t column = first; column < last; ++column) {
    const Floats gradient = Load(g + column * channels) * counts;
    const uint16_t* pixel = x + (column * stride - padding) * channels;
    for (int k = 0; k < kKernel; ++k) inner[k] += gradient * Load(pixel + k * channels);
  }
  for (int k = 0; k < kKernel; ++k) sums[k] = inner[k];
  for (int64_t column = last; column < out_width; ++column) edge(column);
}

template <int kKernel>
void BackwardWeightOf(const uint16_t* x, const uint16_t* g, const DepthwiseShape& shape,
                      int64_t begin, int64_t end, double* dweight) {
  const auto [height, width, out_height, out_width, channels, kernel, stride, padding] = shape;
  // About as many products to one fp32 sum as other reductions have.
  const int64_t block = Most(1, 64 / out_width);
  for (int64_t first = begin; first < end; first += block) {
    const int64_t last = Least(end, first + block);
    for (int64_t start = 0; start < channels; start += kLanes) {
      const int64_t c = BlockStart(start, channels);
      // Lanes that the block before had count for nothing.
      Floats counts{};
      for (int i = 0; i < kLanes; ++i) counts[i] = c + i >= start ? 1.0F : 0.0F;
      for (int64_t ky = 0; ky < kKernel; ++ky) {
        Floats sums[kKernel] = {};
        for (int64_t row = first; row < last; ++row) {
          const int64_t image = row / out_height;
          const int64_t y = (row % out_height) * stride + ky - padding;
          if (y < 0 || y >= height) continue;
          AddRow<kKernel>(x + (image * height + y) * width * channels + c,
                          g + row * out_width * channels + c, shape, counts, sums);
        }
        for (int64_t kx = 0; kx < kKernel; ++kx) {
          AddTo(dweight + (ky * kKernel + kx) * channels + c, sums[kx]);
        }
      }
    }
  }
}

void BackwardWeight(const uint16_t* x, const uint16_t* g, const DepthwiseShape& shape,
                    int64_t begin, int64_t end, double* dweight) {
  switch (shape.kernel) {
    case 1:
      return BackwardWeightOf<1>(x, g, shape, begin, end, dweight);
    case 2:
      return BackwardWeightOf<2>(x, g, shape, begin, end, dweight);
    case 3:
      return BackwardWeightOf<3>(x, g, shape, begin, end, dweight);
    case 4:
      return BackwardWeightOf<4>(x, g, shape, begin, end, dweight);
    case 5:
      return BackwardWeightOf<5>(x, g, shape, begin, end, dweight);
    case 6:
      return BackwardWeightOf<6>(x, g, shape, begin, end, dweight);
    default:
      return BackwardWeightOf<7>(x, g, shape, begin, end, dweight);
  }
}

}  // namespace

extern const DepthwiseKernels THAW_DEPTHWISE_KERNELS;
const DepthwiseKernels THAW_DEPTHWISE_KERNELS = {BackwardInput, BackwardWeight};

}  // namespace thaw
