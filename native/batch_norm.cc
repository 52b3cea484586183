// Batch norm by the batch's statistics in one operator with what follows it: a residual and ReLU,
// or ReLU and pooling. libtorch makes a pass over memory for each. An operator equals a composition
// of libtorch's, which it falls back to where its kernel does not apply.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "batch_norm_kernels.h"
#include "compat.h"
#include "instruction_set.h"

namespace thaw {

namespace {

// The layer's own tensors and options.
struct Layer {
  const at::Tensor &weight, &bias, &running_mean, &running_var;
  double momentum, eps;
};

at::Tensor Normalised(const at::Tensor& x, const Layer& layer, bool training) {
  return at::batch_norm(x, layer.weight, layer.bias, layer.running_mean, layer.running_var,
                        training, layer.momentum, layer.eps, /*cudnn_enabled=*/true);
}

at::Tensor ComposedRelu(const at::Tensor& x, const at::Tensor& residual, const Layer& layer,
                        bool training) {
  auto z = Normalised(x, layer, training);
  if (residual.defined()) z.add_(residual);
  return z.relu_();
}

// The maximum and the ReLU commute, values and gradients alike, and after pooling the ReLU passes
// over a quarter of the memory.
at::Tensor ComposedReluMaxPool(const at::Tensor& x, const Layer& layer, bool training) {
  return at::relu(at::max_pool2d(Normalised(x, layer, training), 2));
}

}  // namespace

#ifdef THAW_HAS_KERNELS

THAW_DECLARE_AND_CHOOSE(BatchNormKernels, BatchNormKernels, BestBatchNormKernels)

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <typename T>
const BatchNormKernelsOf<T>& Kernels();
template <>
const BatchNormKernelsOf<float>& Kernels() {
  return BestBatchNormKernels().fp32;
}
template <>
const BatchNormKernelsOf<uint16_t>& Kernels() {
  return BestBatchNormKernels().bf16;
}

// Calls `body` with a null pointer of the element type that the kernels know a tensor's by.
template <typename Body>
auto ForElementOf(const at::Tensor& tensor, const Body& body) {
  if (tensor.scalar_type() == at::kFloat) return body(static_cast<float*>(nullptr));
  return body(static_cast<uint16_t*>(nullptr));
}

template <typename T>
T* Data(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) : nullptr;
}

PoolShape ShapeOf(const at::Tensor& x) { return {x.size(2), x.size(3), x.size(1)}; }

int64_t PooledRows(const at::Tensor& x) { return x.size(0) * (x.size(2) / 2); }

// Pixels over all images.
int64_t Rows(const at::Tensor& x) { return x.numel() / x.size(1); }

// Runs `body(begin, end, sum, other)` over [0, count) in one piece a thread and adds the pieces'
// sums in their order, so that the same number of threads gives the same bits.
template <typename Body>
void SumOver(int64_t count, int64_t channels, std::vector<double>& sum, std::vector<double>& other,
             const Body& body) {
  const int64_t pieces = std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), count));
  std::vector<double> sums(pieces * channels), others(pieces * channels);
  at::parallel_for(0, pieces, 1, [&](int64_t first, int64_t last) {
    for (int64_t piece = first; piece < last; ++piece) {
      body(count * piece / pieces, count * (piece + 1) / pieces, &sums[piece * channels],
           &others[piece * channels]);
    }
  });
  for (int64_t i = 0; i < pieces * channels; ++i) {
    sum[i % channels] += sums[i];
    other[i % channels] += others[i];
  }
}

void Blend(float& running, double now, double momentum) {
  running = static_cast<float>((1 - momentum) * running + momentum * now);
}

// What a batch is normalised by: y = scale * x + offset. Moves the running statistics.
struct Normalisation {
  at::Tensor mean, inverse_std;
  std::vector<float> scale, offset;

  template <typename T>
  static Normalisation Of(const at::Tensor& x, const Layer& layer) {
    const int64_t channels = x.size(1), rows = Rows(x);
    const T* data = Data<T>(x);
    // Around the first pixel, so that a mean far from zero costs no digits of the variance.
    const auto shift = x.select(0, 0).select(1, 0).select(1, 0).to(at::kFloat).contiguous();
    std::vector<double> sum(channels), squares(channels);
    SumOver(rows, channels, sum, squares, [&](int64_t begin, int64_t end, double* s, double* q) {
      Kernels<T>().statistics(data + begin * channels, end - begin, channels, Data<float>(shift), s,
                              q);
    });
    Normalisation found;
    found.mean = at::empty({channels}, layer.weight.options().requires_grad(false));
    found.inverse_std = at::empty_like(found.mean);
    found.scale.resize(channels);
    found.offset.resize(channels);
    for (int64_t c = 0; c < channels; ++c) {
      const double from_shift = sum[c] / static_cast<double>(rows);
      const double center = Data<float>(shift)[c] + from_shift;
      const double rounded = squares[c] / static_cast<double>(rows) - from_shift * from_shift;
      // Not std::max, which would make 0 of NaN.
      const double variance = rounded < 0 ? 0 : rounded;
      const double inverse = 1 / std::sqrt(variance + layer.eps);
      Data<float>(found.mean)[c] = static_cast<float>(center);
      Data<float>(found.inverse_std)[c] = static_cast<float>(inverse);
      found.scale[c] = static_cast<float>(Data<float>(layer.weight)[c] * inverse);
      found.offset[c] = static_cast<float>(Data<float>(layer.bias)[c] - center * found.scale[c]);
      const double unbiased = variance * static_cast<double>(rows) / static_cast<double>(rows - 1);
      Blend(Data<float>(layer.running_mean)[c], center, layer.momentum);
      Blend(Data<float>(layer.running_var)[c], unbiased, layer.momentum);
    }
    return found;
  }
};

// The gradient as dx = a * g + b + c * x, g being what came through the ReLU, from the sums over a
// channel's pixels of g and of g * (x - mean).
struct Slopes {
  at::Tensor dweight, dbias;
  std::vector<float> a, b, c;

  Slopes(const std::vector<double>& sum, const std::vector<double>& product, int64_t rows,
         const at::Tensor& weight, const at::Tensor& mean, const at::Tensor& inverse_std)
      : dweight(at::empty_like(mean)),
        dbias(at::empty_like(mean)),
        a(sum.size()),
        b(sum.size()),
        c(sum.size()) {
    for (size_t i = 0; i < sum.size(); ++i) {
      const double inverse = Data<float>(inverse_std)[i];
      const double factor = Data<float>(weight)[i] * inverse;
      const double slope = -factor * inverse * inverse * product[i] / static_cast<double>(rows);
      a[i] = static_cast<float>(factor);
      b[i] = static_cast<float>(-factor * sum[i] / static_cast<double>(rows) -
                                slope * Data<float>(mean)[i]);
      c[i] = static_cast<float>(slope);
      Data<float>(dweight)[i] = static_cast<float>(product[i] * inverse);
      Data<float>(dbias)[i] = static_cast<float>(sum[i]);
    }
  }
};

// With create_graph the kernels' results would stand in no graph: what those of `inputs` that learn
// get of `compose`, by their order. Derivatives are taken of aliases, as one input may have been
// made of another.
template <typename Compose>
variable_list GradientsInGraph(const variable_list& inputs, const at::Tensor& gradient,
                               const Compose& compose) {
  variable_list aliases, wanted;
  for (const auto& input : inputs) {
    aliases.push_back(input.view_as(input));
    if (input.requires_grad()) wanted.push_back(aliases.back());
  }
  variable_list result(inputs.size());
  if (wanted.empty()) return result;  // the residual alone learns
  const auto found =
      torch::autograd::grad({compose(aliases)}, wanted, {gradient}, true, /*create_graph=*/true);
  size_t next = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].requires_grad()) result[i] = found[next++];
  }
  return result;
}

at::Tensor LikeInput(const at::Tensor& gradient, const at::Tensor& x) {
  return gradient.to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
}

// Between forward and backward it keeps its input, its output (which whatever follows keeps too)
// and two values a channel.
struct BatchNormRelu : torch::autograd::Function<BatchNormRelu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const Optional<at::Tensor>& added, const at::Tensor& weight,
                            const at::Tensor& bias, const at::Tensor& running_mean,
                            const at::Tensor& running_var, double momentum, double eps) {
    const at::Tensor residual = added.value_or(at::Tensor());
    const int64_t channels = x.size(1);
    auto y = at::empty_like(x);
    Normalisation by;
    ForElementOf(x, [&](auto* element) {
      using T = std::remove_pointer_t<decltype(element)>;
      by = Normalisation::Of<T>(x, {weight, bias, running_mean, running_var, momentum, eps});
      const T *from = Data<T>(x), *plus = Data<T>(residual);
      T* to = Data<T>(y);
      at::parallel_for(0, Rows(x), Grain(channels), [&](int64_t begin, int64_t end) {
        const int64_t at = begin * channels;
        Kernels<T>().relu_forward(from + at, plus == nullptr ? nullptr : plus + at, end - begin,
                                  channels, by.scale.data(), by.offset.data(), to + at);
      });
    });
    context->save_for_backward({x, weight, bias, by.mean, by.inverse_std, y});
    context->saved_data["eps"] = eps;
    context->saved_data["adds"] = residual.defined();
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &bias = saved[2], &mean = saved[3],
               &inverse_std = saved[4], &y = saved[5];
    const bool adds = context->saved_data["adds"].toBool();
    if (at::GradMode::is_enabled()) {  // with create_graph
      // Not where y is above 0, so that NaN goes on as in the kernel.
      const auto let_through = gradients[0].masked_fill(y <= 0, 0);
      const double eps = context->saved_data["eps"].toDouble();
      auto of = GradientsInGraph({x, weight, bias}, let_through, [&](const variable_list& inputs) {
        const at::Tensor none;
        return Normalised(inputs[0], {inputs[1], inputs[2], none, none, 0, eps}, true);
      });
      return {of[0], adds ? let_through : at::Tensor(), of[1], of[2], {}, {}, {}, {}};
    }
    const auto g = LikeInput(gradients[0], x);
    const int64_t channels = x.size(1), rows = Rows(x);
    auto dx = at::empty_like(x);
    const auto passed = adds ? at::empty_like(x) : at::Tensor();
    return ForElementOf(x, [&](auto* element) -> variable_list {
      using T = std::remove_pointer_t<decltype(element)>;
      const T *from = Data<T>(x), *of_y = Data<T>(g), *out = Data<T>(y);
      T *let_through = Data<T>(passed), *to = Data<T>(dx);
      std::vector<double> sum(channels), product(channels);
      SumOver(rows, channels, sum, product, [&](int64_t begin, int64_t end, double* s, double* p) {
        const int64_t at = begin * channels;
        Kernels<T>().relu_reduce(from + at, of_y + at, out + at, end - begin, channels,
                                 Data<float>(mean),
                                 let_through == nullptr ? nullptr : let_through + at, s, p);
      });
      const Slopes slopes(sum, product, rows, weight, mean, inverse_std);
      at::parallel_for(0, rows, Grain(channels), [&](int64_t begin, int64_t end) {
        const int64_t at = begin * channels;
        // What was let through is written down already where there was a residual.
        const T* gradient = let_through == nullptr ? of_y + at : let_through + at;
        const T* cut_by = let_through == nullptr ? out + at : nullptr;
        Kernels<T>().relu_backward(from + at, gradient, cut_by, end - begin, channels,
                                   slopes.a.data(), slopes.b.data(), slopes.c.data(), to + at);
      });
      return {dx, passed, slopes.dweight, slopes.dbias, {}, {}, {}, {}};
    });
  }

 private:
  // Rows that are worth a thread.
  static int64_t Grain(int64_t channels) { return std::max<int64_t>(1, 32768 / channels); }
};

// 2x2 with stride 2. Between forward and backward it keeps its input, a byte for each pooled value,
// and two values a channel.
struct BatchNormReluMaxPool : torch::autograd::Function<BatchNormReluMaxPool> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias, const at::Tensor& running_mean,
                            const at::Tensor& running_var, double momentum, double eps) {
    const PoolShape shape = ShapeOf(x);
    auto y = at::empty({x.size(0), shape.channels, shape.out_height(), shape.out_width()},
                       x.options(), at::MemoryFormat::ChannelsLast);
    auto which = at::empty_like(y, y.options().dtype(at::kByte));
    Normalisation by;
    ForElementOf(x, [&](auto* element) {
      using T = std::remove_pointer_t<decltype(element)>;
      by = Normalisation::Of<T>(x, {weight, bias, running_mean, running_var, momentum, eps});
      at::parallel_for(0, PooledRows(x), 1, [&](int64_t begin, int64_t end) {
        Kernels<T>().pool_forward(Data<T>(x), shape, by.scale.data(), by.offset.data(), begin, end,
                                  Data<T>(y), Data<uint8_t>(which));
      });
    });
    context->save_for_backward({x, weight, bias, by.mean, by.inverse_std, which});
    context->saved_data["eps"] = eps;
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &bias = saved[2], &mean = saved[3],
               &inverse_std = saved[4], &which = saved[5];
    if (at::GradMode::is_enabled()) {  // with create_graph
      const double eps = context->saved_data["eps"].toDouble();
      auto result =
          GradientsInGraph({x, weight, bias}, gradients[0], [&](const variable_list& inputs) {
            const at::Tensor none;
            return ComposedReluMaxPool(inputs[0], {inputs[1], inputs[2], none, none, 0, eps}, true);
          });
      result.resize(7);
      return result;
    }
    const auto g = LikeInput(gradients[0], x);
    const PoolShape shape = ShapeOf(x);
    const int64_t channels = shape.channels;
    auto dx = at::empty_like(x);
    return ForElementOf(x, [&](auto* element) -> variable_list {
      using T = std::remove_pointer_t<decltype(element)>;
      std::vector<double> sum(channels), product(channels);
      SumOver(PooledRows(x), channels, sum, product,
              [&](int64_t begin, int64_t end, double* s, double* p) {
                Kernels<T>().pool_reduce(Data<T>(x), Data<T>(g), Data<uint8_t>(which), shape,
                                         Data<float>(mean), begin, end, s, p);
              });
      const Slopes slopes(sum, product, Rows(x), weight, mean, inverse_std);
      at::parallel_for(0, PooledRows(x), 1, [&](int64_t begin, int64_t end) {
        Kernels<T>().pool_backward(Data<T>(x), Data<T>(g), Data<uint8_t>(which), shape,
                                   slopes.a.data(), slopes.b.data(), slopes.c.data(), begin, end,
                                   Data<T>(dx));
      });
      return {dx, slopes.dweight, slopes.dbias, {}, {}, {}, {}};
    });
  }
};

// What does not fit, libtorch's operators compute or refuse.
bool KernelApplies(const at::Tensor& x, const Layer& layer) {
  const auto dtype = x.scalar_type();
  if (!x.is_cpu() || x.dim() != 4 || (dtype != at::kFloat && dtype != at::kBFloat16) ||
      x.size(1) % kLanes != 0 || x.numel() <= x.size(1) ||
      !x.is_contiguous(at::MemoryFormat::ChannelsLast)) {
    return false;
  }
  const auto fits = [&](const at::Tensor& tensor) {
    return tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.dim() == 1 &&
           tensor.size(0) == x.size(1) && tensor.is_contiguous();
  };
  return fits(layer.weight) && fits(layer.bias) && fits(layer.running_mean) &&
         fits(layer.running_var);
}

bool IsLike(const at::Tensor& residual, const at::Tensor& x) {
  return residual.is_cpu() && residual.scalar_type() == x.scalar_type() &&
         residual.sizes() == x.sizes() && residual.is_contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace

#endif

namespace {

at::Tensor BatchNormReluOperator(const at::Tensor& x, const at::Tensor& weight,
                                 const at::Tensor& bias, const at::Tensor& running_mean,
                                 const at::Tensor& running_var, bool training, double momentum,
                                 double eps, const Optional<at::Tensor>& residual) {
  const Layer layer{weight, bias, running_mean, running_var, momentum, eps};
#ifdef THAW_HAS_KERNELS
  if (training && KernelApplies(x, layer) && (!residual.has_value() || IsLike(*residual, x))) {
    return BatchNormRelu::apply(x, residual, weight, bias, running_mean, running_var, momentum,
                                eps);
  }
#endif
  return ComposedRelu(x, residual.value_or(at::Tensor()), layer, training);
}

at::Tensor BatchNormReluMaxPoolOperator(const at::Tensor& x, const at::Tensor& weight,
                                        const at::Tensor& bias, const at::Tensor& running_mean,
                                        const at::Tensor& running_var, bool training,
                                        double momentum, double eps) {
  const Layer layer{weight, bias, running_mean, running_var, momentum, eps};
#ifdef THAW_HAS_KERNELS
  if (training && KernelApplies(x, layer) && x.size(2) >= 2 && x.size(3) >= 2) {
    return BatchNormReluMaxPool::apply(x, weight, bias, running_mean, running_var, momentum, eps);
  }
#endif
  return ComposedReluMaxPool(x, layer, training);
}

}  // namespace

TORCH_LIBRARY(thaw, library) {
  library.def(
      "batch_norm_relu(Tensor x, Tensor weight, Tensor bias, Tensor(a!) running_mean, "
      "Tensor(b!) running_var, bool training, float momentum, float eps, Tensor? residual=None) "
      "-> Tensor",
      BatchNormReluOperator);
  library.def(
      "batch_norm_relu_max_pool(Tensor x, Tensor weight, Tensor bias, Tensor(a!) running_mean, "
      "Tensor(b!) running_var, bool training, float momentum, float eps) -> Tensor",
      BatchNormReluMaxPoolOperator);
}

}  // namespace thaw
