// Compiled once for each instruction set, with its name in THAW_BATCH_NORM_KERNELS
// (CMakeLists.txt).
#include "batch_norm_kernels.h"

#include "lanes.h"

namespace thaw {

namespace {

template <typename T>
void Statistics(const T* x, int64_t rows, int64_t channels, const float* shift, double* sum,
                double* squares) {
  // So few that fp32 sums stay exact enough and the rows stay in the second-level cache.
  constexpr int64_t kBlock = 64;
  for (int64_t first = 0; first < rows; first += kBlock) {
    const int64_t last = first + kBlock < rows ? first + kBlock : rows;
    for (int64_t c = 0; c < channels; c += kLanes) {
      const Floats around = Load(shift + c);
      // Two chains of sums each, as an addition waits for the one before it.
      Floats s0{}, s1{}, q0{}, q1{};
      int64_t row = first;
      for (; row + 1 < last; row += 2) {
        const Floats v0 = Load(x + row * channels + c) - around;
        const Floats v1 = Load(x + (row + 1) * channels + c) - around;
        s0 += v0;
        s1 += v1;
        q0 += v0 * v0;
        q1 += v1 * v1;
      }
      if (row < last) {
        const Floats v = Load(x + row * channels + c) - around;
        s0 += v;
        q0 += v * v;
      }
      AddTo(sum + c, s0 + s1);
      AddTo(squares + c, q0 + q1);
    }
  }
}

template <typename T>
void ReluForward(const T* x, const T* residual, int64_t rows, int64_t channels, const float* scale,
                 const float* offset, T* y) {
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t at = row * channels;
    for (int64_t c = 0; c < channels; c += kLanes) {
      Floats z = Load(scale + c) * Load(x + at + c) + Load(offset + c);
      if (residual != nullptr) z += Load(residual + at + c);
      Store(y + at + c, z <= Floats{} ? Floats{} : z);  // NaN stays, as in libtorch's ReLU
    }
  }
}

template <typename T>
void ReluReduce(const T* x, const T* g, const T* y, int64_t rows, int64_t channels,
                const float* mean, T* passed, double* sum, double* product) {
  constexpr int64_t kBlock = 64;  // as in `Statistics`
  for (int64_t first = 0; first < rows; first += kBlock) {
    const int64_t last = first + kBlock < rows ? first + kBlock : rows;
    for (int64_t c = 0; c < channels; c += kLanes) {
      const Floats mu = Load(mean + c);
      Floats s{}, p{};
      for (int64_t row = first; row < last; ++row) {
        const int64_t at = row * channels + c;
        const Floats gradient = Load(y + at) <= Floats{} ? Floats{} : Load(g + at);
        if (passed != nullptr) Store(passed + at, gradient);
        s += gradient;
        p += gradient * (Load(x + at) - mu);
      }
      AddTo(sum + c, s);
      AddTo(product + c, p);
    }
  }
}

template <typename T>
void ReluBackward(const T* x, const T* g, const T* y, int64_t rows, int64_t channels,
                  const float* a, const float* b, const float* c, T* dx) {
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t at = row * channels;
    for (int64_t i = 0; i < channels; i += kLanes) {
      Floats gradient = Load(g + at + i);
      if (y != nullptr) gradient = Load(y + at + i) <= Floats{} ? Floats{} : gradient;
      Store(dx + at + i, Load(a + i) * gradient + Load(b + i) + Load(c + i) * Load(x + at + i));
    }
  }
}

// The first pixel of each window of a pooled row.
template <typename T>
T* WindowRow(T* x, const PoolShape& shape, int64_t pooled_row) {
  const int64_t image = pooled_row / shape.out_height();
  const int64_t row = 2 * (pooled_row % shape.out_height());
  return x + (image * shape.height + row) * shape.width * shape.channels;
}

template <typename T>
void PoolForward(const T* x, const PoolShape& shape, const float* scale, const float* offset,
                 int64_t begin, int64_t end, T* y, uint8_t* which) {
  const int64_t channels = shape.channels;
  const int64_t below = shape.width * channels;
  for (int64_t row = begin; row < end; ++row) {
    const T* window = WindowRow(x, shape, row);
    for (int64_t column = 0; column < shape.out_width(); ++column, window += 2 * channels) {
      const int64_t out = (row * shape.out_width() + column) * channels;
      for (int64_t c = 0; c < channels; c += kLanes) {
        const Floats a = Load(scale + c), b = Load(offset + c);
        const T* pixels[] = {window, window + channels, window + below, window + below + channels};
        Floats largest = a * Load(pixels[0] + c) + b;
        Ints place{};
        for (int i = 1; i < 4; ++i) {
          const Floats z = a * Load(pixels[i] + c) + b;
          const Ints wins = (z > largest) | (z != z);  // NaN wins, as in libtorch's pooling
          largest = wins ? z : largest;
          place = wins ? Ints{} + i : place;
        }
        const Ints cut = largest <= Floats{};
        Store(y + out + c, cut ? Floats{} : largest);
        StoreBytes(which + out + c, cut ? Ints{} + kCutOff : place);
      }
    }
  }
}

template <typename T>
void PoolReduce(const T* x, const T* g, const uint8_t* which, const PoolShape& shape,
                const float* mean, int64_t begin, int64_t end, double* sum, double* product) {
  const int64_t channels = shape.channels;
  const int64_t below = shape.width * channels;
  // About as many windows to one fp32 sum as `Statistics` adds pixels.
  const int64_t block = shape.out_width() < 64 ? 64 / shape.out_width() : 1;
  for (int64_t first = begin; first < end; first += block) {
    const int64_t last = first + block < end ? first + block : end;
    for (int64_t c = 0; c < channels; c += kLanes) {
      const Floats mu = Load(mean + c);
      Floats s{}, p{};
      for (int64_t row = first; row < last; ++row) {
        const T* window = WindowRow(x, shape, row) + c;
        int64_t at = row * shape.out_width() * channels + c;
        for (int64_t column = 0; column < shape.out_width(); ++column) {
          const Ints place = LoadBytes(which + at);
          const Floats gradient = place == kCutOff ? Floats{} : Load(g + at);
          const Floats top = place == 0 ? Load(window) : Load(window + channels);
          const Floats bottom = place == 2 ? Load(window + below) : Load(window + below + channels);
          s += gradient;
          p += gradient * ((place < 2 ? top : bottom) - mu);
          at += channels;
          window += 2 * channels;
        }
      }
      AddTo(sum + c, s);
      AddTo(product + c, p);
    }
  }
}

// dx of pixels that no window covers: only through the statistics.
template <typename T>
void Uncovered(const T* x, int64_t pixels, int64_t channels, const float* b, const float* c,
               T* dx) {
  for (int64_t pixel = 0; pixel < pixels; ++pixel) {
    for (int64_t i = 0; i < channels; i += kLanes) {
      const int64_t at = pixel * channels + i;
      Store(dx + at, Load(b + i) + Load(c + i) * Load(x + at));
    }
  }
}

template <typename T>
void PoolBackward(const T* x, const T* g, const uint8_t* which, const PoolShape& shape,
                  const float* a, const float* b, const float* c, int64_t begin, int64_t end,
                  T* dx) {
  const int64_t channels = shape.channels;
  const int64_t below = shape.width * channels;
  for (int64_t row = begin; row < end; ++row) {
    const T* window = WindowRow(x, shape, row);
    T* to = WindowRow(dx, shape, row);
    for (int64_t column = 0; column < shape.out_width(); ++column) {
      const int64_t out = (row * shape.out_width() + column) * channels;
      for (int64_t i = 0; i < channels; i += kLanes) {
        const Ints place = LoadBytes(which + out + i);
        const Floats gradient = Load(a + i) * Load(g + out + i);
        const Floats constant = Load(b + i), slope = Load(c + i);
        const int64_t pixels[] = {i, channels + i, below + i, below + channels + i};
        for (int k = 0; k < 4; ++k) {
          const Floats rest = constant + slope * Load(window + pixels[k]);
          Store(to + pixels[k], rest + (place == k ? gradient : Floats{}));
        }
      }
      window += 2 * channels;
      to += 2 * channels;
    }
    if (shape.width % 2 == 1) {
      Uncovered(window, 1, channels, b, c, to);
      Uncovered(window + below, 1, channels, b, c, to + below);
    }
    const bool is_last = row % shape.out_height() == shape.out_height() - 1;
    if (is_last && shape.height % 2 == 1) {
      const int64_t next = 2 * below;
      const T* rest = WindowRow(x, shape, row) + next;
      Uncovered(rest, shape.width, channels, b, c, WindowRow(dx, shape, row) + next);
    }
  }
}

template <typename T>
constexpr BatchNormKernelsOf<T> kKernelsOf = {Statistics<T>,   ReluForward<T>, ReluReduce<T>,
                                              ReluBackward<T>, PoolForward<T>, PoolReduce<T>,
                                              PoolBackward<T>};

}  // namespace

extern const BatchNormKernels THAW_BATCH_NORM_KERNELS;
const BatchNormKernels THAW_BATCH_NORM_KERNELS = {kKernelsOf<float>, kKernelsOf<uint16_t>};

}  // namespace thaw
