// The two products of a linear classifier, which a BLAS made for square matrices computes at a
// fraction of the speed that memory allows: x is read once, whatever the number of classes.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <vector>

#include "instruction_set.h"
#include "linear_kernels.h"

namespace thaw {

#ifdef THAW_HAS_KERNELS
THAW_DECLARE_AND_CHOOSE(LinearKernels, LinearKernels, BestLinearKernels)
#endif

namespace {

#ifdef THAW_HAS_KERNELS

bool KernelApplies(const at::Tensor& x, const at::Tensor& other) {
  const auto dense = [](const at::Tensor& tensor) {
    return tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.is_contiguous();
  };
  return dense(x) && dense(other);
}

#endif

void Check(const at::Tensor& x, const at::Tensor& other, int64_t shared, int64_t of_other) {
  TORCH_CHECK(x.dim() == 2 && other.dim() == 2 && x.scalar_type() == other.scalar_type() &&
                  x.size(shared) == other.size(of_other),
              "wants two matrices of one dtype whose sizes fit");
}

// weights [K, d] and bias [K] of samples x [n, d]: [K, n].
at::Tensor LinearScores(const at::Tensor& x, const at::Tensor& weights, const at::Tensor& bias) {
  Check(x, weights, 1, 1);
  TORCH_CHECK(
      bias.dim() == 1 && bias.size(0) == weights.size(0) && bias.scalar_type() == x.scalar_type(),
      "wants a bias a class");
#ifdef THAW_HAS_KERNELS
  if (KernelApplies(x, weights)) {
    const int64_t n = x.size(0), d = x.size(1), classes = weights.size(0);
    const auto dense_bias = bias.contiguous();
    auto scores = at::empty({classes, n}, x.options());
    auto* to = scores.data_ptr<float>();
    constexpr int64_t kGrain = 256;
    at::parallel_for(0, n, kGrain, [&](int64_t begin, int64_t end) {
      BestLinearKernels().scores(x.data_ptr<float>() + begin * d, end - begin, d,
                                 weights.data_ptr<float>(), dense_bias.data_ptr<float>(), classes,
                                 to + begin, n);
    });
    return scores;
  }
#endif
  return at::addmm(bias.unsqueeze(1), weights, x.t());
}

// derivative [K, n] and x [n, d]: their product [K, d], summed up in float64.
at::Tensor LinearGradient(const at::Tensor& x, const at::Tensor& derivative) {
  Check(x, derivative, 0, 1);
#ifdef THAW_HAS_KERNELS
  if (KernelApplies(x, derivative)) {
    const int64_t n = x.size(0), d = x.size(1), classes = derivative.size(0);
    // In one piece a thread, added up in order: the same number of threads gives the same bits.
    const int64_t pieces = std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), n / 256));
    auto sums = at::zeros({pieces, classes, d}, x.options().dtype(at::kDouble));
    auto* to = sums.data_ptr<double>();
    at::parallel_for(0, pieces, 1, [&](int64_t first, int64_t last) {
      for (int64_t piece = first; piece < last; ++piece) {
        const int64_t begin = n * piece / pieces;
        BestLinearKernels().gradient(derivative.data_ptr<float>() + begin, n, classes,
                                     x.data_ptr<float>() + begin * d,
                                     n * (piece + 1) / pieces - begin, d, to + piece * classes * d);
      }
    });
    return sums.sum(0);
  }
#endif
  return at::mm(derivative, x).to(at::kDouble);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(thaw, library) {
  library.def("linear_scores(Tensor x, Tensor weights, Tensor bias) -> Tensor", LinearScores);
  library.def("linear_gradient(Tensor x, Tensor derivative) -> Tensor", LinearGradient);
}

}  // namespace thaw
