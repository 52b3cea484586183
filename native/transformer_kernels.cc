// Compiled once for each instruction set, with its name in THAW_TRANSFORMER_KERNELS
// (CMakeLists.txt).
#include "transformer_kernels.h"

#include <cmath>
#include <limits>

#include "lanes.h"

namespace thaw {

namespace {

Floats Splat(float value) { return Floats{} + value; }

Floats Larger(Floats a, Floats b) { return a > b ? a : b; }

// e^y to two units in the last place; at least e^-78, of which a share of a row's sum is a normal
// number still, and NaN of NaN. For y <= 88.
Floats Exp(Floats y) {
  constexpr float kLog2E = 1.44269504F;
  // ln 2 in two parts, of which the first times a small whole number is exact.
  constexpr float kLn2High = 0.693359375F;
  constexpr float kLn2Low = -2.12194440e-4F;
  // Added to a small number, its last bits are the nearest whole number's.
  constexpr float kRound = 12582912.0F;
  const Floats bounded = y < -78.0F ? Splat(-78.0F) : y;
  const Floats shifted = bounded * kLog2E + kRound;
  const Floats whole = shifted - kRound;
  const Floats f = (bounded - whole * kLn2High) - whole * kLn2Low;
  Floats p = Splat(1.0F / 720);
  p = p * f + 1.0F / 120;
  p = p * f + 1.0F / 24;
  p = p * f + 1.0F / 6;
  p = p * f + 0.5F;
  p = p * f + 1.0F;
  p = p * f + 1.0F;
  const Ints exponent = reinterpret_cast<Ints>(shifted) - 0x4B400000;
  const auto scaled = reinterpret_cast<Floats>(reinterpret_cast<Ints>(p) + (exponent << 23));
  return y == y ? scaled : y;
}

struct Normal {
  Floats distribution;  // Phi(x)
  Floats bell;          // e^(-x^2 / 2)
};

// By the error function's rational approximation, to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
Normal NormalOf(Floats x) {
  constexpr float kSqrtHalf = 0.70710678F;
  const Floats z = (x < 0.0F ? -x : x) * kSqrtHalf;
  // Beyond 13 there is nothing left, whatever it is multiplied by.
  const Floats bell = z > 13.0F ? Floats{} : Exp(-z * z);
  const Floats t = 1.0F / (1.0F + 0.3275911F * z);
  Floats p = Splat(1.061405429F);
  p = p * t - 1.453152027F;
  p = p * t + 1.421413741F;
  p = p * t - 0.284496736F;
  p = p * t + 0.254829592F;
  const Floats beyond = 0.5F * p * t * bell;
  return {x < 0.0F ? beyond : 1.0F - beyond, bell};
}

void Gelu(const uint16_t* x, int64_t count, uint16_t* y, uint16_t* slope) {
  constexpr float kInverseSqrtTau = 0.39894228F;
  const auto one = [](const uint16_t* from, uint16_t* to, uint16_t* to_slope) {
    const Floats v = Load(from);
    const auto [distribution, bell] = NormalOf(v);
    Store(to, v * distribution);
    if (to_slope != nullptr) Store(to_slope, distribution + v * bell * kInverseSqrtTau);
  };
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) one(x + i, y + i, slope == nullptr ? slope : slope + i);
  if (i == count) return;
  const size_t bytes = (count - i) * sizeof *x;
  uint16_t rest[kLanes] = {}, slopes[kLanes];
  std::memcpy(rest, x + i, bytes);
  one(rest, rest, slopes);
  std::memcpy(y + i, rest, bytes);
  if (slope != nullptr) std::memcpy(slope + i, slopes, bytes);
}

void Multiply(const uint16_t* a, const uint16_t* b, int64_t count, uint16_t* y) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) Store(y + i, Load(a + i) * Load(b + i));
  if (i == count) return;
  const size_t bytes = (count - i) * sizeof *a;
  uint16_t left[kLanes] = {}, right[kLanes] = {};
  std::memcpy(left, a + i, bytes);
  std::memcpy(right, b + i, bytes);
  Store(left, Load(left) * Load(right));
  std::memcpy(y + i, left, bytes);
}

// A row in fp32, filled up to whole vectors.
struct Row {
  float values[kMaxSoftmaxWidth + kLanes];
  int64_t padded;

  void Read(const uint16_t* from, int64_t width, float padding) {
    int64_t i = 0;
    for (; i + kLanes <= width; i += kLanes) Store(values + i, Load(from + i));
    padded = i;
    if (i == width) return;
    uint16_t rest[kLanes] = {};
    std::memcpy(rest, from + i, (width - i) * sizeof *from);
    Store(values + i, Load(rest));
    padded += kLanes;
    for (int64_t j = width; j < padded; ++j) values[j] = padding;
  }

  void Write(uint16_t* to, int64_t width) const {
    int64_t i = 0;
    for (; i + kLanes <= width; i += kLanes) Store(to + i, Load(values + i));
    if (i == width) return;
    uint16_t rest[kLanes];
    Store(rest, Load(values + i));
    std::memcpy(to + i, rest, (width - i) * sizeof *to);
  }
};

float LargestOf(Floats v) {
  float largest = v[0];
  for (int i = 1; i < kLanes; ++i) largest = v[i] > largest ? v[i] : largest;
  return largest;
}

void Softmax(uint16_t* rows, int64_t count, int64_t width, float scale) {
  Row row;
  for (int64_t r = 0; r < count; ++r, rows += width) {
    row.Read(rows, width, -std::numeric_limits<float>::infinity());
    Floats largest = Load(row.values);
    for (int64_t i = kLanes; i < row.padded; i += kLanes) {
      largest = Larger(Load(row.values + i), largest);
    }
    // The scale is positive, so that the largest stays the largest.
    const float top = LargestOf(largest);
    Floats sum{};
    for (int64_t i = 0; i < row.padded; i += kLanes) {
      const Floats e = Exp((Load(row.values + i) - top) * scale);
      Store(row.values + i, e);
      sum += e;
    }
    // The padding's e^-78 each is far below one rounding of a sum that has the largest's 1.
    const float inverse = 1.0F / Sum(sum);
    for (int64_t i = 0; i < row.padded; i += kLanes) {
      Store(row.values + i, Load(row.values + i) * inverse);
    }
    row.Write(rows, width);
  }
}

void SoftmaxBackward(const uint16_t* p, uint16_t* g, int64_t count, int64_t width, float scale) {
  Row probabilities, gradient;
  for (int64_t r = 0; r < count; ++r, p += width, g += width) {
    probabilities.Read(p, width, 0);
    gradient.Read(g, width, 0);
    Floats product{};
    for (int64_t i = 0; i < gradient.padded; i += kLanes) {
      product += Load(probabilities.values + i) * Load(gradient.values + i);
    }
    const float mean = Sum(product);
    for (int64_t i = 0; i < gradient.padded; i += kLanes) {
      const Floats p_scaled = Load(probabilities.values + i) * scale;
      Store(gradient.values + i, p_scaled * (Load(gradient.values + i) - mean));
    }
    gradient.Write(g, width);
  }
}

void LayerNorm(const float* x, int64_t count, int64_t width, const float* weight, const float* bias,
               float eps, uint16_t* y, float* mean, float* inverse_std) {
  const auto share = 1 / static_cast<float>(width);
  for (int64_t r = 0; r < count; ++r, x += width, y += width) {
    Floats sum{}, squares{};
    for (int64_t i = 0; i < width; i += kLanes) sum += Load(x + i);
    const float center = Sum(sum) * share;
    for (int64_t i = 0; i < width; i += kLanes) {
      const Floats v = Load(x + i) - center;
      squares += v * v;
    }
    const float inverse = 1 / std::sqrt(Sum(squares) * share + eps);
    for (int64_t i = 0; i < width; i += kLanes) {
      Store(y + i, (Load(x + i) - center) * inverse * Load(weight + i) + Load(bias + i));
    }
    mean[r] = center;
    inverse_std[r] = inverse;
  }
}

void LayerNormBackward(const uint16_t* g, const float* x, const float* mean,
                       const float* inverse_std, const float* weight, int64_t count, int64_t width,
                       float* dx, double* dweight, double* dbias) {
  // So few that fp32 sums stay exact enough.
  constexpr int64_t kBlock = 64;
  const auto share = 1 / static_cast<float>(width);
  float weights[kMaxNormWidth], biases[kMaxNormWidth];
  for (int64_t first = 0; first < count; first += kBlock) {
    const int64_t last = first + kBlock < count ? first + kBlock : count;
    std::memset(weights, 0, width * sizeof *weights);
    std::memset(biases, 0, width * sizeof *biases);
    for (int64_t r = first; r < last; ++r) {
      const uint16_t* gradient = g + r * width;
      const float* row = x + r * width;
      const float inverse = inverse_std[r], center = mean[r];
      Floats sum{}, product{};
      for (int64_t i = 0; i < width; i += kLanes) {
        const Floats v = Load(gradient + i);
        const Floats normed = (Load(row + i) - center) * inverse;
        const Floats scaled = v * Load(weight + i);
        sum += scaled;
        product += scaled * normed;
        Store(weights + i, Load(weights + i) + v * normed);
        Store(biases + i, Load(biases + i) + v);
      }
      const float average = Sum(sum) * share, along = Sum(product) * share;
      for (int64_t i = 0; i < width; i += kLanes) {
        const Floats normed = (Load(row + i) - center) * inverse;
        const Floats scaled = Load(gradient + i) * Load(weight + i);
        Store(dx + r * width + i, (scaled - average - normed * along) * inverse);
      }
    }
    for (int64_t i = 0; i < width; i += kLanes) {
      AddTo(dweight + i, Load(weights + i));
      AddTo(dbias + i, Load(biases + i));
    }
  }
}

}  // namespace

// Declared first: a constant is otherwise known to its own file alone.
extern const TransformerKernels THAW_TRANSFORMER_KERNELS;
const TransformerKernels THAW_TRANSFORMER_KERNELS = {
    Gelu, Multiply, Softmax, SoftmaxBackward, LayerNorm, LayerNormBackward};

}  // namespace thaw
