// Resampling of 8-bit pictures by Pillow's algorithm (its src/libImaging/Resample.c): a filter as
// wide as the reduction, horizontally and then vertically, in fixed point, with 8 bits between the
// two passes. Every rounding is Pillow's, so that the results are equal to the last bit.
#include <napi.h>

#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "bytes.h"
#include "errors.h"
#include "modules.h"

// Compiled twice where that is possible, and chosen by what the CPU has.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define THAW_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define THAW_WIDE
#endif

#if defined(__x86_64__) && defined(__GNUC__)
#define THAW_AVX2
#include <immintrin.h>
#endif

namespace thaw {

namespace {

constexpr int kPrecisionBits = 32 - 8 - 2;

struct Filter {
  double (*weight)(double);
  double support;
};

double Bilinear(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

double Bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

Filter ParseFilter(const std::string& name) {
  if (name == "bilinear") return {Bilinear, 1.0};
  if (name == "bicubic") return {Bicubic, 2.0};
  throw std::invalid_argument("there is no filter " + name);
}

// For each place of the result, the first place of the source, how many there are and their
// weights.
struct Plan {
  int taps = 0;
  std::vector<int> first;
  std::vector<int> count;
  std::vector<int32_t> weights;  // [size, taps]

  int begin() const { return first.front(); }
  int end() const {
    int last = 0;
    for (size_t i = 0; i < first.size(); ++i) last = std::max(last, first[i] + count[i]);
    return last;
  }
};

// precompute_coeffs and normalize_coeffs_8bpc.
Plan MakePlan(int in_size, double in0, double in1, int out_size, const Filter& filter) {
  Plan plan;
  const double scale = (in1 - in0) / out_size;
  const double filter_scale = std::max(scale, 1.0);
  const double support = filter.support * filter_scale;
  plan.taps = static_cast<int>(std::ceil(support)) * 2 + 1;
  if (static_cast<double>(plan.taps) * out_size > 1e9) {
    throw std::invalid_argument("the reduction is too large");
  }
  plan.first.resize(out_size);
  plan.count.resize(out_size);
  plan.weights.assign(static_cast<size_t>(out_size) * plan.taps, 0);
  std::vector<double> row(plan.taps);
  for (int out = 0; out < out_size; ++out) {
    const double center = in0 + (out + 0.5) * scale;
    const double inverse = 1.0 / filter_scale;
    const int low = std::max(static_cast<int>(center - support + 0.5), 0);
    const int high = std::min(static_cast<int>(center + support + 0.5), in_size);
    const int count = high - low;
    double sum = 0.0;
    for (int i = 0; i < count; ++i) {
      row[i] = filter.weight((i + low - center + 0.5) * inverse);
      sum += row[i];
    }
    for (int i = 0; i < count; ++i) {
      const double weight = (sum != 0.0 ? row[i] / sum : row[i]) * (1 << kPrecisionBits);
      plan.weights[static_cast<size_t>(out) * plan.taps + i] =
          static_cast<int32_t>(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    plan.first[out] = low;
    plan.count[out] = count;
  }
  return plan;
}

inline uint8_t Clip(int32_t sum) {
  const int32_t value = sum >> kPrecisionBits;
  return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

constexpr int32_t kHalf = 1 << (kPrecisionBits - 1);

// One channel or an odd number of them.
void HorizontalRow(const uint8_t* from, uint8_t* to, int channels, const Plan& plan) {
  for (size_t out = 0; out < plan.first.size(); ++out) {
    const int32_t* weights = &plan.weights[out * plan.taps];
    for (int c = 0; c < channels; ++c) {
      const uint8_t* pixel = from + static_cast<ptrdiff_t>(plan.first[out]) * channels + c;
      int32_t sum = kHalf;
      for (int i = 0; i < plan.count[out]; ++i) sum += pixel[i * channels] * weights[i];
      to[out * channels + c] = Clip(sum);
    }
  }
}

#ifdef THAW_AVX2
// Two rows of RGB at once: each has the three channels of a place in four lanes, the fourth of
// which is the next place's red. Reads one byte past the last pixel used: not for the last row of a
// picture.
__attribute__((target("avx2"))) void HorizontalRgbRows(const uint8_t* from, size_t from_stride,
                                                       uint8_t* to, size_t to_stride, int rows,
                                                       const Plan& plan) {
  const int size = static_cast<int>(plan.first.size());
  const int taps = plan.taps;
  std::vector<uint8_t> spare(2 * (to_stride + 4));
  uint8_t* const upper = spare.data();
  uint8_t* const lower = upper + to_stride + 4;
  for (int y = 0; y < rows; y += 2) {
    const int below = y + 1 < rows ? y + 1 : y;
    const uint8_t* row = from + y * from_stride;
    const size_t apart = (below - y) * from_stride;
    for (int out = 0; out < size; ++out) {
      const int32_t* weights = plan.weights.data() + static_cast<size_t>(out) * taps;
      const uint8_t* pixel = row + static_cast<ptrdiff_t>(plan.first[out]) * 3;
      const int count = plan.count[out];
      __m256i sum = _mm256_set1_epi32(kHalf);
      for (int i = 0; i < count; ++i, pixel += 3) {
        int32_t pair[2];
        std::memcpy(&pair[0], pixel, 4);
        std::memcpy(&pair[1], pixel + apart, 4);
        const __m128i bytes = _mm_insert_epi32(_mm_cvtsi32_si128(pair[0]), pair[1], 1);
        const __m256i weight = _mm256_set1_epi32(weights[i]);
        sum = _mm256_add_epi32(sum, _mm256_mullo_epi32(_mm256_cvtepu8_epi32(bytes), weight));
      }
      sum = _mm256_srai_epi32(sum, kPrecisionBits);
      sum = _mm256_packs_epi32(sum, sum);
      sum = _mm256_packus_epi16(sum, sum);
      const int32_t first = _mm_cvtsi128_si32(_mm256_castsi256_si128(sum));
      const int32_t second = _mm_cvtsi128_si32(_mm256_extracti128_si256(sum, 1));
      std::memcpy(upper + out * 3, &first, 4);
      std::memcpy(lower + out * 3, &second, 4);
    }
    std::memcpy(to + y * to_stride, upper, static_cast<size_t>(size) * 3);
    std::memcpy(to + below * to_stride, lower, static_cast<size_t>(size) * 3);
  }
}
#endif

// One row of the result from `count` rows of the source: bytes beside each other are independent.
THAW_WIDE
void VerticalRow(const uint8_t* from, size_t stride, const int32_t* weights, int count,
                 int32_t* sums, uint8_t* to) {
  for (size_t x = 0; x < stride; ++x) sums[x] = kHalf;
  for (int i = 0; i < count; ++i) {
    const uint8_t* row = from + i * stride;
    const int32_t weight = weights[i];
    for (size_t x = 0; x < stride; ++x) sums[x] += row[x] * weight;
  }
  for (size_t x = 0; x < stride; ++x) to[x] = Clip(sums[x]);
}

struct Size {
  int height;
  int width;

  size_t bytes(int channels) const {
    return static_cast<size_t>(height) * static_cast<size_t>(width) * channels;
  }
};

void Horizontal(const uint8_t* from, int from_width, uint8_t* to, int rows, int channels,
                const Plan& plan, bool last_row_is_last) {
  const size_t from_stride = static_cast<size_t>(from_width) * channels;
  const size_t to_stride = plan.first.size() * channels;
  int done = 0;
#ifdef THAW_AVX2
  if (channels == 3 && __builtin_cpu_supports("avx2")) {
    done = last_row_is_last ? rows - 1 : rows;
    HorizontalRgbRows(from, from_stride, to, to_stride, done, plan);
  }
#else
  static_cast<void>(last_row_is_last);
#endif
  for (int y = done; y < rows; ++y) {
    HorizontalRow(from + y * from_stride, to + y * to_stride, channels, plan);
  }
}

void Vertical(const uint8_t* from, int first_row, size_t stride, uint8_t* to, const Plan& plan) {
  std::vector<int32_t> sums(stride);
  for (size_t out = 0; out < plan.first.size(); ++out) {
    VerticalRow(from + (plan.first[out] - first_row) * stride, stride,
                plan.weights.data() + out * plan.taps, plan.count[out], sums.data(),
                to + out * stride);
  }
}

Size SizeOf(const Napi::Value& value) {
  const auto pair = value.As<Napi::Array>();
  const Size size{pair.Get(0u).As<Napi::Number>().Int32Value(),
                  pair.Get(1u).As<Napi::Number>().Int32Value()};
  if (size.height < 1 || size.width < 1 || size.height > (1 << 20) || size.width > (1 << 20)) {
    throw std::invalid_argument("a picture has sides of 1 to 1,048,576 pixels");
  }
  return size;
}

void Resample(const Bytes& from, Size in, const Bytes& to, Size out, int channels,
              const double (&box)[4], const Filter& filter) {
  if (channels < 1 || channels > 4) throw std::invalid_argument("1 to 4 channels are wanted");
  if (from.size != in.bytes(channels) || to.size != out.bytes(channels)) {
    throw std::invalid_argument("an array has another size than its picture");
  }
  if (!(box[0] >= 0 && box[1] >= 0 && box[2] <= in.width && box[3] <= in.height &&
        box[2] > box[0] && box[3] > box[1])) {
    throw std::invalid_argument("the box does not lie in the picture");
  }
  // A pass that would change nothing is left out, as Pillow does.
  const bool wide = out.width != in.width || box[0] != 0 || box[2] != out.width;
  const bool high = out.height != in.height || box[1] != 0 || box[3] != out.height;
  const Plan columns = MakePlan(in.width, box[0], box[2], out.width, filter);
  const Plan rows = MakePlan(in.height, box[1], box[3], out.height, filter);
  if (!high) {
    if (!wide) return void(std::memcpy(to.data, from.data, from.size));
    return Horizontal(from.data, in.width, to.data, in.height, channels, columns, true);
  }
  if (!wide) return Vertical(from.data, 0, in.bytes(channels) / in.height, to.data, rows);
  // Only the rows that the second pass reads.
  const int first = rows.begin();
  const int last = rows.end();
  const size_t stride = static_cast<size_t>(out.width) * channels;
  std::vector<uint8_t> between(stride * (last - first));
  Horizontal(from.data + in.bytes(channels) / in.height * first, in.width, between.data(),
             last - first, channels, columns, last == in.height);
  Vertical(between.data(), first, stride, to.data, rows);
}

// resample(from, [height, width], to, [height, width], channels, [left, top, right, bottom],
// filter)
Napi::Value ResampleJs(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    const auto corners = info[5].As<Napi::Array>();
    double box[4];
    for (uint32_t i = 0; i < 4; ++i) box[i] = corners.Get(i).As<Napi::Number>().DoubleValue();
    Resample(BytesOf(info[0]), SizeOf(info[1]), BytesOf(info[2]), SizeOf(info[3]),
             info[4].As<Napi::Number>().Int32Value(), box,
             ParseFilter(info[6].As<Napi::String>().Utf8Value()));
    return info.Env().Undefined();
  });
}

}  // namespace

void InitResample(Napi::Env env, Napi::Object exports) {
  exports.Set("resample", Napi::Function::New(env, ResampleJs, "resample"));
}

}  // namespace thaw
