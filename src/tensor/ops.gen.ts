// Made by `npm run gen:ops` from the schemas of libtorch 1.13.0; not edited by hand.
import type { Device, MemoryFormat } from "./device.ts";
import type { DType } from "./dtype.ts";
import { engine, Operator } from "./engine.ts";
import type { Generator } from "./generator.ts";
import { Tensor } from "./tensor.ts";

type Scalar = number | bigint | boolean;

const handleOf = (value: Tensor | Generator | null | undefined): number | null | undefined =>
  value === null ? null : value?.handle;
const handlesOf = (
  values: readonly (Tensor | null)[] | null | undefined,
): (number | null)[] | null | undefined =>
  values?.map((value) => (value === null ? null : value.handle)) ?? (values as null | undefined);
const one = (handle: unknown): Tensor => new Tensor(handle as number);
const many = (handles: unknown): Tensor[] => (handles as number[]).map((handle) => new Tensor(handle));
const plain = <T>(value: unknown): T => value as T;

// arithmetic

const addOperator = new Operator("aten::add.Tensor");
/** `aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor` */
export function add(self: Tensor, other: Tensor, options: { alpha?: Scalar | undefined } = {}): Tensor {
  return one(engine().call(addOperator.index, self.handle, other.handle, options.alpha));
}

const addScalarOperator = new Operator("aten::add.Scalar");
/** `aten::add.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor` */
export function addScalar(self: Tensor, other: Scalar, options: { alpha?: Scalar | undefined } = {}): Tensor {
  return one(engine().call(addScalarOperator.index, self.handle, other, options.alpha));
}

const add_Operator = new Operator("aten::add_.Tensor");
/** `aten::add_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)` */
export function add_(self: Tensor, other: Tensor, options: { alpha?: Scalar | undefined } = {}): Tensor {
  engine().call(add_Operator.index, self.handle, other.handle, options.alpha);
  return self;
}

const add_ScalarOperator = new Operator("aten::add_.Scalar");
/** `aten::add_.Scalar(Tensor(a!) self, Scalar other, Scalar alpha=1) -> Tensor(a!)` */
export function add_Scalar(self: Tensor, other: Scalar, options: { alpha?: Scalar | undefined } = {}): Tensor {
  engine().call(add_ScalarOperator.index, self.handle, other, options.alpha);
  return self;
}

const subOperator = new Operator("aten::sub.Tensor");
/** `aten::sub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor` */
export function sub(self: Tensor, other: Tensor, options: { alpha?: Scalar | undefined } = {}): Tensor {
  return one(engine().call(subOperator.index, self.handle, other.handle, options.alpha));
}

const subScalarOperator = new Operator("aten::sub.Scalar");
/** `aten::sub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor` */
export function subScalar(self: Tensor, other: Scalar, options: { alpha?: Scalar | undefined } = {}): Tensor {
  return one(engine().call(subScalarOperator.index, self.handle, other, options.alpha));
}

const sub_Operator = new Operator("aten::sub_.Tensor");
/** `aten::sub_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)` */
export function sub_(self: Tensor, other: Tensor, options: { alpha?: Scalar | undefined } = {}): Tensor {
  engine().call(sub_Operator.index, self.handle, other.handle, options.alpha);
  return self;
}

const mulOperator = new Operator("aten::mul.Tensor");
/** `aten::mul.Tensor(Tensor self, Tensor other) -> Tensor` */
export function mul(self: Tensor, other: Tensor): Tensor {
  return one(engine().call(mulOperator.index, self.handle, other.handle));
}

const mulScalarOperator = new Operator("aten::mul.Scalar");
/** `aten::mul.Scalar(Tensor self, Scalar other) -> Tensor` */
export function mulScalar(self: Tensor, other: Scalar): Tensor {
  return one(engine().call(mulScalarOperator.index, self.handle, other));
}

const mul_Operator = new Operator("aten::mul_.Tensor");
/** `aten::mul_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)` */
export function mul_(self: Tensor, other: Tensor): Tensor {
  engine().call(mul_Operator.index, self.handle, other.handle);
  return self;
}

const mul_ScalarOperator = new Operator("aten::mul_.Scalar");
/** `aten::mul_.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)` */
export function mul_Scalar(self: Tensor, other: Scalar): Tensor {
  engine().call(mul_ScalarOperator.index, self.handle, other);
  return self;
}

const divOperator = new Operator("aten::div.Tensor");
/** `aten::div.Tensor(Tensor self, Tensor other) -> Tensor` */
export function div(self: Tensor, other: Tensor): Tensor {
  return one(engine().call(divOperator.index, self.handle, other.handle));
}

const divScalarOperator = new Operator("aten::div.Scalar");
/** `aten::div.Scalar(Tensor self, Scalar other) -> Tensor` */
export function divScalar(self: Tensor, other: Scalar): Tensor {
  return one(engine().call(divScalarOperator.index, self.handle, other));
}

const div_Operator = new Operator("aten::div_.Tensor");
/** `aten::div_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)` */
export function div_(self: Tensor, other: Tensor): Tensor {
  engine().call(div_Operator.index, self.handle, other.handle);
  return self;
}

const div_ScalarOperator = new Operator("aten::div_.Scalar");
/** `aten::div_.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)` */
export function div_Scalar(self: Tensor, other: Scalar): Tensor {
  engine().call(div_ScalarOperator.index, self.handle, other);
  return self;
}

const rsubScalarOperator = new Operator("aten::rsub.Scalar");
/** `aten::rsub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor` */
export function rsubScalar(self: Tensor, other: Scalar, options: { alpha?: Scalar | undefined } = {}): Tensor {
  return one(engine().call(rsubScalarOperator.index, self.handle, other, options.alpha));
}

const negOperator = new Operator("aten::neg");
/** `aten::neg(Tensor self) -> Tensor` */
export function neg(self: Tensor): Tensor {
  return one(engine().call(negOperator.index, self.handle));
}

const absOperator = new Operator("aten::abs");
/** `aten::abs(Tensor self) -> Tensor` */
export function abs(self: Tensor): Tensor {
  return one(engine().call(absOperator.index, self.handle));
}

const expOperator = new Operator("aten::exp");
/** `aten::exp(Tensor self) -> Tensor` */
export function exp(self: Tensor): Tensor {
  return one(engine().call(expOperator.index, self.handle));
}

const logOperator = new Operator("aten::log");
/** `aten::log(Tensor self) -> Tensor` */
export function log(self: Tensor): Tensor {
  return one(engine().call(logOperator.index, self.handle));
}

const sqrtOperator = new Operator("aten::sqrt");
/** `aten::sqrt(Tensor self) -> Tensor` */
export function sqrt(self: Tensor): Tensor {
  return one(engine().call(sqrtOperator.index, self.handle));
}

const sqrt_Operator = new Operator("aten::sqrt_");
/** `aten::sqrt_(Tensor(a!) self) -> Tensor(a!)` */
export function sqrt_(self: Tensor): Tensor {
  engine().call(sqrt_Operator.index, self.handle);
  return self;
}

const rsqrtOperator = new Operator("aten::rsqrt");
/** `aten::rsqrt(Tensor self) -> Tensor` */
export function rsqrt(self: Tensor): Tensor {
  return one(engine().call(rsqrtOperator.index, self.handle));
}

const squareOperator = new Operator("aten::square");
/** `aten::square(Tensor self) -> Tensor` */
export function square(self: Tensor): Tensor {
  return one(engine().call(squareOperator.index, self.handle));
}

const square_Operator = new Operator("aten::square_");
/** `aten::square_(Tensor(a!) self) -> Tensor(a!)` */
export function square_(self: Tensor): Tensor {
  engine().call(square_Operator.index, self.handle);
  return self;
}

const powOperator = new Operator("aten::pow.Tensor_Scalar");
/** `aten::pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor` */
export function pow(self: Tensor, exponent: Scalar): Tensor {
  return one(engine().call(powOperator.index, self.handle, exponent));
}

const clampOperator = new Operator("aten::clamp");
/** `aten::clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor` */
export function clamp(self: Tensor, options: { min?: Scalar | null | undefined; max?: Scalar | null | undefined } = {}): Tensor {
  return one(engine().call(clampOperator.index, self.handle, options.min, options.max));
}

const clamp_Operator = new Operator("aten::clamp_");
/** `aten::clamp_(Tensor(a!) self, Scalar? min=None, Scalar? max=None) -> Tensor(a!)` */
export function clamp_(self: Tensor, options: { min?: Scalar | null | undefined; max?: Scalar | null | undefined } = {}): Tensor {
  engine().call(clamp_Operator.index, self.handle, options.min, options.max);
  return self;
}

const clampMin_Operator = new Operator("aten::clamp_min_");
/** `aten::clamp_min_(Tensor(a!) self, Scalar min) -> Tensor(a!)` */
export function clampMin_(self: Tensor, min: Scalar): Tensor {
  engine().call(clampMin_Operator.index, self.handle, min);
  return self;
}

const maximumOperator = new Operator("aten::maximum");
/** `aten::maximum(Tensor self, Tensor other) -> Tensor` */
export function maximum(self: Tensor, other: Tensor): Tensor {
  return one(engine().call(maximumOperator.index, self.handle, other.handle));
}

const minimumOperator = new Operator("aten::minimum");
/** `aten::minimum(Tensor self, Tensor other) -> Tensor` */
export function minimum(self: Tensor, other: Tensor): Tensor {
  return one(engine().call(minimumOperator.index, self.handle, other.handle));
}

const roundOperator = new Operator("aten::round");
/** `aten::round(Tensor self) -> Tensor` */
export function round(self: Tensor): Tensor {
  return one(engine().call(roundOperator.index, self.handle));
}

const lerpScalarOperator = new Operator("aten::lerp.Scalar");
/** `aten::lerp.Scalar(Tensor self, Tensor end, Scalar weight) -> Tensor` */
export function lerpScalar(self: Tensor, end: Tensor, weight: Scalar): Tensor {
  return one(engine().call(lerpScalarOperator.index, self.handle, end.handle, weight));
}

const lerp_ScalarOperator = new Operator("aten::lerp_.Scalar");
/** `aten::lerp_.Scalar(Tensor(a!) self, Tensor end, Scalar weight) -> Tensor(a!)` */
export function lerp_Scalar(self: Tensor, end: Tensor, weight: Scalar): Tensor {
  engine().call(lerp_ScalarOperator.index, self.handle, end.handle, weight);
  return self;
}

const addcmul_Operator = new Operator("aten::addcmul_");
/** `aten::addcmul_(Tensor(a!) self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor(a!)` */
export function addcmul_(self: Tensor, tensor1: Tensor, tensor2: Tensor, options: { value?: Scalar | undefined } = {}): Tensor {
  engine().call(addcmul_Operator.index, self.handle, tensor1.handle, tensor2.handle, options.value);
  return self;
}

const addcdiv_Operator = new Operator("aten::addcdiv_");
/** `aten::addcdiv_(Tensor(a!) self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor(a!)` */
export function addcdiv_(self: Tensor, tensor1: Tensor, tensor2: Tensor, options: { value?: Scalar | undefined } = {}): Tensor {
  engine().call(addcdiv_Operator.index, self.handle, tensor1.handle, tensor2.handle, options.value);
  return self;
}

const addcmulOperator = new Operator("aten::addcmul");
/** `aten::addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor` */
export function addcmul(self: Tensor, tensor1: Tensor, tensor2: Tensor, options: { value?: Scalar | undefined } = {}): Tensor {
  return one(engine().call(addcmulOperator.index, self.handle, tensor1.handle, tensor2.handle, options.value));
}

const addcdivOperator = new Operator("aten::addcdiv");
/** `aten::addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor` */
export function addcdiv(self: Tensor, tensor1: Tensor, tensor2: Tensor, options: { value?: Scalar | undefined } = {}): Tensor {
  return one(engine().call(addcdivOperator.index, self.handle, tensor1.handle, tensor2.handle, options.value));
}

const sigmoidOperator = new Operator("aten::sigmoid");
/** `aten::sigmoid(Tensor self) -> Tensor` */
export function sigmoid(self: Tensor): Tensor {
  return one(engine().call(sigmoidOperator.index, self.handle));
}

const tanhOperator = new Operator("aten::tanh");
/** `aten::tanh(Tensor self) -> Tensor` */
export function tanh(self: Tensor): Tensor {
  return one(engine().call(tanhOperator.index, self.handle));
}

const erfOperator = new Operator("aten::erf");
/** `aten::erf(Tensor self) -> Tensor` */
export function erf(self: Tensor): Tensor {
  return one(engine().call(erfOperator.index, self.handle));
}

const signOperator = new Operator("aten::sign");
/** `aten::sign(Tensor self) -> Tensor` */
export function sign(self: Tensor): Tensor {
  return one(engine().call(signOperator.index, self.handle));
}

const floorOperator = new Operator("aten::floor");
/** `aten::floor(Tensor self) -> Tensor` */
export function floor(self: Tensor): Tensor {
  return one(engine().call(floorOperator.index, self.handle));
}

const floorDivideScalarOperator = new Operator("aten::floor_divide.Scalar");
/** `aten::floor_divide.Scalar(Tensor self, Scalar other) -> Tensor` */
export function floorDivideScalar(self: Tensor, other: Scalar): Tensor {
  return one(engine().call(floorDivideScalarOperator.index, self.handle, other));
}

const reciprocalOperator = new Operator("aten::reciprocal");
/** `aten::reciprocal(Tensor self) -> Tensor` */
export function reciprocal(self: Tensor): Tensor {
  return one(engine().call(reciprocalOperator.index, self.handle));
}

const cosOperator = new Operator("aten::cos");
/** `aten::cos(Tensor self) -> Tensor` */
export function cos(self: Tensor): Tensor {
  return one(engine().call(cosOperator.index, self.handle));
}

const sinOperator = new Operator("aten::sin");
/** `aten::sin(Tensor self) -> Tensor` */
export function sin(self: Tensor): Tensor {
  return one(engine().call(sinOperator.index, self.handle));
}

// comparison

const eqOperator = new Operator("aten::eq.Tensor");
/** `aten::eq.Tensor(Tensor self, Tensor other) -> Tensor` */
export function eq(self: Tensor, other: Tensor): Tensor {
  return one(engine().call(eqOperator.index, self.handle, other.handle));
}

const eqScalarOperator = new Operator("aten::eq.Scalar");
/** `aten::eq.Scalar(Tensor self, Scalar other) -> Tensor` */
export function eqScalar(self: Tensor, other: Scalar): Tensor {
  return one(engine().call(eqScalarOperator.index, self.handle, other));
}

const neScalarOperator = new Operator("aten::ne.Scalar");
/** `aten::ne.Scalar(Tensor self, Scalar other) -> Tensor` */
export function neScalar(self: Tensor, other: Scalar): Tensor {
  return one(engine().call(neScalarOperator.index, self.handle, other));
}

const gtScalarOperator = new Operator("aten::gt.Scalar");
/** `aten::gt.Scalar(Tensor self, Scalar other) -> Tensor` */
export function gtScalar(self: Tensor, other: Scalar): Tensor {
  return one(engine().call(gtScalarOperator.index, self.handle, other));
}

const geScalarOperator = new Operator("aten::ge.Scalar");
/** `aten::ge.Scalar(Tensor self, Scalar other) -> Tensor` */
export function geScalar(self: Tensor, other: Scalar): Tensor {
  return one(engine().call(geScalarOperator.index, self.handle, other));
}

const ltScalarOperator = new Operator("aten::lt.Scalar");
/** `aten::lt.Scalar(Tensor self, Scalar other) -> Tensor` */
export function ltScalar(self: Tensor, other: Scalar): Tensor {
  return one(engine().call(ltScalarOperator.index, self.handle, other));
}

const leScalarOperator = new Operator("aten::le.Scalar");
/** `aten::le.Scalar(Tensor self, Scalar other) -> Tensor` */
export function leScalar(self: Tensor, other: Scalar): Tensor {
  return one(engine().call(leScalarOperator.index, self.handle, other));
}

const gtOperator = new Operator("aten::gt.Tensor");
/** `aten::gt.Tensor(Tensor self, Tensor other) -> Tensor` */
export function gt(self: Tensor, other: Tensor): Tensor {
  return one(engine().call(gtOperator.index, self.handle, other.handle));
}

const ltOperator = new Operator("aten::lt.Tensor");
/** `aten::lt.Tensor(Tensor self, Tensor other) -> Tensor` */
export function lt(self: Tensor, other: Tensor): Tensor {
  return one(engine().call(ltOperator.index, self.handle, other.handle));
}

const whereOperator = new Operator("aten::where.self");
/** `aten::where.self(Tensor condition, Tensor self, Tensor other) -> Tensor` */
export function where(condition: Tensor, self: Tensor, other: Tensor): Tensor {
  return one(engine().call(whereOperator.index, condition.handle, self.handle, other.handle));
}

const isfiniteOperator = new Operator("aten::isfinite");
/** `aten::isfinite(Tensor self) -> Tensor` */
export function isfinite(self: Tensor): Tensor {
  return one(engine().call(isfiniteOperator.index, self.handle));
}

const isnanOperator = new Operator("aten::isnan");
/** `aten::isnan(Tensor self) -> Tensor` */
export function isnan(self: Tensor): Tensor {
  return one(engine().call(isnanOperator.index, self.handle));
}

const logicalAndOperator = new Operator("aten::logical_and");
/** `aten::logical_and(Tensor self, Tensor other) -> Tensor` */
export function logicalAnd(self: Tensor, other: Tensor): Tensor {
  return one(engine().call(logicalAndOperator.index, self.handle, other.handle));
}

const logicalNotOperator = new Operator("aten::logical_not");
/** `aten::logical_not(Tensor self) -> Tensor` */
export function logicalNot(self: Tensor): Tensor {
  return one(engine().call(logicalNotOperator.index, self.handle));
}

const equalOperator = new Operator("aten::equal");
/** `aten::equal(Tensor self, Tensor other) -> bool` */
export function equal(self: Tensor, other: Tensor): boolean {
  return plain<boolean>(engine().call(equalOperator.index, self.handle, other.handle));
}

const allcloseOperator = new Operator("aten::allclose");
/** `aten::allclose(Tensor self, Tensor other, float rtol=1.0000000000000001e-05, float atol=1e-08, bool equal_nan=False) -> bool` */
export function allclose(self: Tensor, other: Tensor, options: { rtol?: number | undefined; atol?: number | undefined; equalNan?: boolean | undefined } = {}): boolean {
  return plain<boolean>(engine().call(allcloseOperator.index, self.handle, other.handle, options.rtol, options.atol, options.equalNan));
}

// reduction

const sumOperator = new Operator("aten::sum");
/** `aten::sum(Tensor self, *, ScalarType? dtype=None) -> Tensor` */
export function sum(self: Tensor, options: { dtype?: DType | null | undefined } = {}): Tensor {
  return one(engine().call(sumOperator.index, self.handle, options.dtype));
}

const sumDimOperator = new Operator("aten::sum.dim_IntList");
/** `aten::sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor` */
export function sumDim(self: Tensor, options: { dim?: number | readonly number[] | null | undefined; keepdim?: boolean | undefined; dtype?: DType | null | undefined } = {}): Tensor {
  return one(engine().call(sumDimOperator.index, self.handle, options.dim, options.keepdim, options.dtype));
}

const meanOperator = new Operator("aten::mean");
/** `aten::mean(Tensor self, *, ScalarType? dtype=None) -> Tensor` */
export function mean(self: Tensor, options: { dtype?: DType | null | undefined } = {}): Tensor {
  return one(engine().call(meanOperator.index, self.handle, options.dtype));
}

const meanDimOperator = new Operator("aten::mean.dim");
/** `aten::mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor` */
export function meanDim(self: Tensor, options: { dim?: number | readonly number[] | null | undefined; keepdim?: boolean | undefined; dtype?: DType | null | undefined } = {}): Tensor {
  return one(engine().call(meanDimOperator.index, self.handle, options.dim, options.keepdim, options.dtype));
}

const varDimOperator = new Operator("aten::var.dim");
/** `aten::var.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor` */
export function varDim(self: Tensor, options: { dim?: number | readonly number[] | null | undefined; unbiased?: boolean | undefined; keepdim?: boolean | undefined } = {}): Tensor {
  return one(engine().call(varDimOperator.index, self.handle, options.dim, options.unbiased, options.keepdim));
}

const stdDimOperator = new Operator("aten::std.dim");
/** `aten::std.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor` */
export function stdDim(self: Tensor, options: { dim?: number | readonly number[] | null | undefined; unbiased?: boolean | undefined; keepdim?: boolean | undefined } = {}): Tensor {
  return one(engine().call(stdDimOperator.index, self.handle, options.dim, options.unbiased, options.keepdim));
}

const maxOperator = new Operator("aten::max");
/** `aten::max(Tensor self) -> Tensor` */
export function max(self: Tensor): Tensor {
  return one(engine().call(maxOperator.index, self.handle));
}

const maxDimOperator = new Operator("aten::max.dim");
/** `aten::max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)` */
export function maxDim(self: Tensor, dim: number | bigint, options: { keepdim?: boolean | undefined } = {}): [Tensor, Tensor] {
  const results = engine().call(maxDimOperator.index, self.handle, dim, options.keepdim) as unknown[];
  return [one(results[0]), one(results[1])];
}

const minOperator = new Operator("aten::min");
/** `aten::min(Tensor self) -> Tensor` */
export function min(self: Tensor): Tensor {
  return one(engine().call(minOperator.index, self.handle));
}

const minDimOperator = new Operator("aten::min.dim");
/** `aten::min.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)` */
export function minDim(self: Tensor, dim: number | bigint, options: { keepdim?: boolean | undefined } = {}): [Tensor, Tensor] {
  const results = engine().call(minDimOperator.index, self.handle, dim, options.keepdim) as unknown[];
  return [one(results[0]), one(results[1])];
}

const amaxOperator = new Operator("aten::amax");
/** `aten::amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor` */
export function amax(self: Tensor, options: { dim?: number | readonly number[] | undefined; keepdim?: boolean | undefined } = {}): Tensor {
  return one(engine().call(amaxOperator.index, self.handle, options.dim, options.keepdim));
}

const aminOperator = new Operator("aten::amin");
/** `aten::amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor` */
export function amin(self: Tensor, options: { dim?: number | readonly number[] | undefined; keepdim?: boolean | undefined } = {}): Tensor {
  return one(engine().call(aminOperator.index, self.handle, options.dim, options.keepdim));
}

const argmaxOperator = new Operator("aten::argmax");
/** `aten::argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor` */
export function argmax(self: Tensor, options: { dim?: number | bigint | null | undefined; keepdim?: boolean | undefined } = {}): Tensor {
  return one(engine().call(argmaxOperator.index, self.handle, options.dim, options.keepdim));
}

const argminOperator = new Operator("aten::argmin");
/** `aten::argmin(Tensor self, int? dim=None, bool keepdim=False) -> Tensor` */
export function argmin(self: Tensor, options: { dim?: number | bigint | null | undefined; keepdim?: boolean | undefined } = {}): Tensor {
  return one(engine().call(argminOperator.index, self.handle, options.dim, options.keepdim));
}

const topkOperator = new Operator("aten::topk");
/** `aten::topk(Tensor self, int k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, Tensor indices)` */
export function topk(self: Tensor, k: number | bigint, options: { dim?: number | bigint | undefined; largest?: boolean | undefined; sorted?: boolean | undefined } = {}): [Tensor, Tensor] {
  const results = engine().call(topkOperator.index, self.handle, k, options.dim, options.largest, options.sorted) as unknown[];
  return [one(results[0]), one(results[1])];
}

const sortOperator = new Operator("aten::sort");
/** `aten::sort(Tensor self, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)` */
export function sort(self: Tensor, options: { dim?: number | bigint | undefined; descending?: boolean | undefined } = {}): [Tensor, Tensor] {
  const results = engine().call(sortOperator.index, self.handle, options.dim, options.descending) as unknown[];
  return [one(results[0]), one(results[1])];
}

const sortStableOperator = new Operator("aten::sort.stable");
/** `aten::sort.stable(Tensor self, *, bool? stable, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)` */
export function sortStable(self: Tensor, options: { stable?: boolean | null | undefined; dim?: number | bigint | undefined; descending?: boolean | undefined } = {}): [Tensor, Tensor] {
  const results = engine().call(sortStableOperator.index, self.handle, options.stable, options.dim, options.descending) as unknown[];
  return [one(results[0]), one(results[1])];
}

const argsortOperator = new Operator("aten::argsort");
/** `aten::argsort(Tensor self, int dim=-1, bool descending=False) -> Tensor` */
export function argsort(self: Tensor, options: { dim?: number | bigint | undefined; descending?: boolean | undefined } = {}): Tensor {
  return one(engine().call(argsortOperator.index, self.handle, options.dim, options.descending));
}

const cumsumOperator = new Operator("aten::cumsum");
/** `aten::cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor` */
export function cumsum(self: Tensor, dim: number | bigint, options: { dtype?: DType | null | undefined } = {}): Tensor {
  return one(engine().call(cumsumOperator.index, self.handle, dim, options.dtype));
}

const normOperator = new Operator("aten::norm.Scalar");
/** `aten::norm.Scalar(Tensor self, Scalar p=2) -> Tensor` */
export function norm(self: Tensor, options: { p?: Scalar | undefined } = {}): Tensor {
  return one(engine().call(normOperator.index, self.handle, options.p));
}

const normDimOperator = new Operator("aten::norm.ScalarOpt_dim");
/** `aten::norm.ScalarOpt_dim(Tensor self, Scalar? p, int[1] dim, bool keepdim=False) -> Tensor` */
export function normDim(self: Tensor, dim: number | readonly number[], options: { p?: Scalar | null | undefined; keepdim?: boolean | undefined } = {}): Tensor {
  return one(engine().call(normDimOperator.index, self.handle, options.p, dim, options.keepdim));
}

const linalgVectorNormOperator = new Operator("aten::linalg_vector_norm");
/** `aten::linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor` */
export function linalgVectorNorm(self: Tensor, options: { ord?: Scalar | undefined; dim?: number | readonly number[] | null | undefined; keepdim?: boolean | undefined; dtype?: DType | null | undefined } = {}): Tensor {
  return one(engine().call(linalgVectorNormOperator.index, self.handle, options.ord, options.dim, options.keepdim, options.dtype));
}

const logsumexpOperator = new Operator("aten::logsumexp");
/** `aten::logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor` */
export function logsumexp(self: Tensor, dim: number | readonly number[], options: { keepdim?: boolean | undefined } = {}): Tensor {
  return one(engine().call(logsumexpOperator.index, self.handle, dim, options.keepdim));
}

const anyOperator = new Operator("aten::any");
/** `aten::any(Tensor self) -> Tensor` */
export function any(self: Tensor): Tensor {
  return one(engine().call(anyOperator.index, self.handle));
}

const allOperator = new Operator("aten::all");
/** `aten::all(Tensor self) -> Tensor` */
export function all(self: Tensor): Tensor {
  return one(engine().call(allOperator.index, self.handle));
}

const bincountOperator = new Operator("aten::bincount");
/** `aten::bincount(Tensor self, Tensor? weights=None, int minlength=0) -> Tensor` */
export function bincount(self: Tensor, options: { weights?: Tensor | null | undefined; minlength?: number | bigint | undefined } = {}): Tensor {
  return one(engine().call(bincountOperator.index, self.handle, handleOf(options.weights), options.minlength));
}

const countNonzeroOperator = new Operator("aten::count_nonzero");
/** `aten::count_nonzero(Tensor self, int? dim=None) -> Tensor` */
export function countNonzero(self: Tensor, options: { dim?: number | bigint | null | undefined } = {}): Tensor {
  return one(engine().call(countNonzeroOperator.index, self.handle, options.dim));
}

const histcOperator = new Operator("aten::histc");
/** `aten::histc(Tensor self, int bins=100, Scalar min=0, Scalar max=0) -> Tensor` */
export function histc(self: Tensor, options: { bins?: number | bigint | undefined; min?: Scalar | undefined; max?: Scalar | undefined } = {}): Tensor {
  return one(engine().call(histcOperator.index, self.handle, options.bins, options.min, options.max));
}

// creation

const emptyOperator = new Operator("aten::empty.memory_format");
/** `aten::empty.memory_format(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor` */
export function empty(size: readonly number[], options: { dtype?: DType | null | undefined; layout?: "strided" | null | undefined; device?: Device | null | undefined; pinMemory?: boolean | null | undefined; memoryFormat?: MemoryFormat | null | undefined } = {}): Tensor {
  return one(engine().call(emptyOperator.index, size, options.dtype, options.layout, options.device, options.pinMemory, options.memoryFormat));
}

const emptyStridedOperator = new Operator("aten::empty_strided");
/** `aten::empty_strided(SymInt[] size, SymInt[] stride, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor` */
export function emptyStrided(size: readonly number[], stride: readonly number[], options: { dtype?: DType | null | undefined; layout?: "strided" | null | undefined; device?: Device | null | undefined; pinMemory?: boolean | null | undefined } = {}): Tensor {
  return one(engine().call(emptyStridedOperator.index, size, stride, options.dtype, options.layout, options.device, options.pinMemory));
}

const zerosOperator = new Operator("aten::zeros");
/** `aten::zeros(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor` */
export function zeros(size: readonly number[], options: { dtype?: DType | null | undefined; layout?: "strided" | null | undefined; device?: Device | null | undefined; pinMemory?: boolean | null | undefined } = {}): Tensor {
  return one(engine().call(zerosOperator.index, size, options.dtype, options.layout, options.device, options.pinMemory));
}

const onesOperator = new Operator("aten::ones");
/** `aten::ones(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor` */
export function ones(size: readonly number[], options: { dtype?: DType | null | undefined; layout?: "strided" | null | undefined; device?: Device | null | undefined; pinMemory?: boolean | null | undefined } = {}): Tensor {
  return one(engine().call(onesOperator.index, size, options.dtype, options.layout, options.device, options.pinMemory));
}

const fullOperator = new Operator("aten::full");
/** `aten::full(SymInt[] size, Scalar fill_value, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor` */
export function full(size: readonly number[], fillValue: Scalar, options: { dtype?: DType | null | undefined; layout?: "strided" | null | undefined; device?: Device | null | undefined; pinMemory?: boolean | null | undefined } = {}): Tensor {
  return one(engine().call(fullOperator.index, size, fillValue, options.dtype, options.layout, options.device, options.pinMemory));
}

const arangeOperator = new Operator("aten::arange.start_step");
/** `aten::arange.start_step(Scalar start, Scalar end, Scalar step=1, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor` */
export function arange(start: Scalar, end: Scalar, options: { step?: Scalar | undefined; dtype?: DType | null | undefined; layout?: "strided" | null | undefined; device?: Device | null | undefined; pinMemory?: boolean | null | undefined } = {}): Tensor {
  return one(engine().call(arangeOperator.index, start, end, options.step, options.dtype, options.layout, options.device, options.pinMemory));
}

const eyeOperator = new Operator("aten::eye");
/** `aten::eye(int n, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor` */
export function eye(n: number | bigint, options: { dtype?: DType | null | undefined; layout?: "strided" | null | undefined; device?: Device | null | undefined; pinMemory?: boolean | null | undefined } = {}): Tensor {
  return one(engine().call(eyeOperator.index, n, options.dtype, options.layout, options.device, options.pinMemory));
}

const linspaceOperator = new Operator("aten::linspace");
/** `aten::linspace(Scalar start, Scalar end, int steps, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor` */
export function linspace(start: Scalar, end: Scalar, steps: number | bigint, options: { dtype?: DType | null | undefined; layout?: "strided" | null | undefined; device?: Device | null | undefined; pinMemory?: boolean | null | undefined } = {}): Tensor {
  return one(engine().call(linspaceOperator.index, start, end, steps, options.dtype, options.layout, options.device, options.pinMemory));
}

const emptyLikeOperator = new Operator("aten::empty_like");
/** `aten::empty_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor` */
export function emptyLike(self: Tensor, options: { dtype?: DType | null | undefined; layout?: "strided" | null | undefined; device?: Device | null | undefined; pinMemory?: boolean | null | undefined; memoryFormat?: MemoryFormat | null | undefined } = {}): Tensor {
  return one(engine().call(emptyLikeOperator.index, self.handle, options.dtype, options.layout, options.device, options.pinMemory, options.memoryFormat));
}

const zerosLikeOperator = new Operator("aten::zeros_like");
/** `aten::zeros_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor` */
export function zerosLike(self: Tensor, options: { dtype?: DType | null | undefined; layout?: "strided" | null | undefined; device?: Device | null | undefined; pinMemory?: boolean | null | undefined; memoryFormat?: MemoryFormat | null | undefined } = {}): Tensor {
  return one(engine().call(zerosLikeOperator.index, self.handle, options.dtype, options.layout, options.device, options.pinMemory, options.memoryFormat));
}

const onesLikeOperator = new Operator("aten::ones_like");
/** `aten::ones_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor` */
export function onesLike(self: Tensor, options: { dtype?: DType | null | undefined; layout?: "strided" | null | undefined; device?: Device | null | undefined; pinMemory?: boolean | null | undefined; memoryFormat?: MemoryFormat | null | undefined } = {}): Tensor {
  return one(engine().call(onesLikeOperator.index, self.handle, options.dtype, options.layout, options.device, options.pinMemory, options.memoryFormat));
}

const fullLikeOperator = new Operator("aten::full_like");
/** `aten::full_like(Tensor self, Scalar fill_value, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor` */
export function fullLike(self: Tensor, fillValue: Scalar, options: { dtype?: DType | null | undefined; layout?: "strided" | null | undefined; device?: Device | null | undefined; pinMemory?: boolean | null | undefined; memoryFormat?: MemoryFormat | null | undefined } = {}): Tensor {
  return one(engine().call(fullLikeOperator.index, self.handle, fillValue, options.dtype, options.layout, options.device, options.pinMemory, options.memoryFormat));
}

const cloneOperator = new Operator("aten::clone");
/** `aten::clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor` */
export function clone(self: Tensor, options: { memoryFormat?: MemoryFormat | null | undefined } = {}): Tensor {
  return one(engine().call(cloneOperator.index, self.handle, options.memoryFormat));
}

const toCopyOperator = new Operator("aten::_to_copy");
/** `aten::_to_copy(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, bool non_blocking=False, MemoryFormat? memory_format=None) -> Tensor` */
export function toCopy(self: Tensor, options: { dtype?: DType | null | undefined; layout?: "strided" | null | undefined; device?: Device | null | undefined; pinMemory?: boolean | null | undefined; nonBlocking?: boolean | undefined; memoryFormat?: MemoryFormat | null | undefined } = {}): Tensor {
  return one(engine().call(toCopyOperator.index, self.handle, options.dtype, options.layout, options.device, options.pinMemory, options.nonBlocking, options.memoryFormat));
}

const toDtypeOperator = new Operator("aten::to.dtype");
/** `aten::to.dtype(Tensor(a) self, ScalarType dtype, bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)` */
export function toDtype(self: Tensor, dtype: DType, options: { nonBlocking?: boolean | undefined; copy?: boolean | undefined; memoryFormat?: MemoryFormat | null | undefined } = {}): Tensor {
  return one(engine().call(toDtypeOperator.index, self.handle, dtype, options.nonBlocking, options.copy, options.memoryFormat));
}

const detachOperator = new Operator("aten::detach");
/** `aten::detach(Tensor(a) self) -> Tensor(a)` */
export function detach(self: Tensor): Tensor {
  return one(engine().call(detachOperator.index, self.handle));
}

const randpermOperator = new Operator("aten::randperm.generator");
/** `aten::randperm.generator(int n, *, Generator? generator, ScalarType? dtype=4, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor` */
export function randperm(n: number | bigint, options: { generator?: Generator | null | undefined; dtype?: DType | null | undefined; layout?: "strided" | null | undefined; device?: Device | null | undefined; pinMemory?: boolean | null | undefined } = {}): Tensor {
  return one(engine().call(randpermOperator.index, n, handleOf(options.generator), options.dtype, options.layout, options.device, options.pinMemory));
}

const randOperator = new Operator("aten::rand.generator");
/** `aten::rand.generator(int[] size, *, Generator? generator, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor` */
export function rand(size: readonly number[], options: { generator?: Generator | null | undefined; dtype?: DType | null | undefined; layout?: "strided" | null | undefined; device?: Device | null | undefined; pinMemory?: boolean | null | undefined } = {}): Tensor {
  return one(engine().call(randOperator.index, size, handleOf(options.generator), options.dtype, options.layout, options.device, options.pinMemory));
}

const randnOperator = new Operator("aten::randn.generator");
/** `aten::randn.generator(int[] size, *, Generator? generator, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor` */
export function randn(size: readonly number[], options: { generator?: Generator | null | undefined; dtype?: DType | null | undefined; layout?: "strided" | null | undefined; device?: Device | null | undefined; pinMemory?: boolean | null | undefined } = {}): Tensor {
  return one(engine().call(randnOperator.index, size, handleOf(options.generator), options.dtype, options.layout, options.device, options.pinMemory));
}

// inPlace

const copy_Operator = new Operator("aten::copy_");
/** `aten::copy_(Tensor(a!) self, Tensor src, bool non_blocking=False) -> Tensor(a!)` */
export function copy_(self: Tensor, src: Tensor, options: { nonBlocking?: boolean | undefined } = {}): Tensor {
  engine().call(copy_Operator.index, self.handle, src.handle, options.nonBlocking);
  return self;
}

const fill_ScalarOperator = new Operator("aten::fill_.Scalar");
/** `aten::fill_.Scalar(Tensor(a!) self, Scalar value) -> Tensor(a!)` */
export function fill_Scalar(self: Tensor, value: Scalar): Tensor {
  engine().call(fill_ScalarOperator.index, self.handle, value);
  return self;
}

const zero_Operator = new Operator("aten::zero_");
/** `aten::zero_(Tensor(a!) self) -> Tensor(a!)` */
export function zero_(self: Tensor): Tensor {
  engine().call(zero_Operator.index, self.handle);
  return self;
}

const uniform_Operator = new Operator("aten::uniform_");
/** `aten::uniform_(Tensor(a!) self, float from=0., float to=1., *, Generator? generator=None) -> Tensor(a!)` */
export function uniform_(self: Tensor, options: { from?: number | undefined; to?: number | undefined; generator?: Generator | null | undefined } = {}): Tensor {
  engine().call(uniform_Operator.index, self.handle, options.from, options.to, handleOf(options.generator));
  return self;
}

const normal_Operator = new Operator("aten::normal_");
/** `aten::normal_(Tensor(a!) self, float mean=0., float std=1., *, Generator? generator=None) -> Tensor(a!)` */
export function normal_(self: Tensor, options: { mean?: number | undefined; std?: number | undefined; generator?: Generator | null | undefined } = {}): Tensor {
  engine().call(normal_Operator.index, self.handle, options.mean, options.std, handleOf(options.generator));
  return self;
}

const bernoulli_Operator = new Operator("aten::bernoulli_.float");
/** `aten::bernoulli_.float(Tensor(a!) self, float p=0.5, *, Generator? generator=None) -> Tensor(a!)` */
export function bernoulli_(self: Tensor, options: { p?: number | undefined; generator?: Generator | null | undefined } = {}): Tensor {
  engine().call(bernoulli_Operator.index, self.handle, options.p, handleOf(options.generator));
  return self;
}

const random_Operator = new Operator("aten::random_.from");
/** `aten::random_.from(Tensor(a!) self, int from, int? to, *, Generator? generator=None) -> Tensor(a!)` */
export function random_(self: Tensor, from: number | bigint, options: { to?: number | bigint | null | undefined; generator?: Generator | null | undefined } = {}): Tensor {
  engine().call(random_Operator.index, self.handle, from, options.to, handleOf(options.generator));
  return self;
}

const indexCopy_Operator = new Operator("aten::index_copy_");
/** `aten::index_copy_(Tensor(a!) self, int dim, Tensor index, Tensor source) -> Tensor(a!)` */
export function indexCopy_(self: Tensor, dim: number | bigint, index: Tensor, source: Tensor): Tensor {
  engine().call(indexCopy_Operator.index, self.handle, dim, index.handle, source.handle);
  return self;
}

const indexAdd_Operator = new Operator("aten::index_add_");
/** `aten::index_add_(Tensor(a!) self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor(a!)` */
export function indexAdd_(self: Tensor, dim: number | bigint, index: Tensor, source: Tensor, options: { alpha?: Scalar | undefined } = {}): Tensor {
  engine().call(indexAdd_Operator.index, self.handle, dim, index.handle, source.handle, options.alpha);
  return self;
}

const scatter_ValueOperator = new Operator("aten::scatter_.value");
/** `aten::scatter_.value(Tensor(a!) self, int dim, Tensor index, Scalar value) -> Tensor(a!)` */
export function scatter_Value(self: Tensor, dim: number | bigint, index: Tensor, value: Scalar): Tensor {
  engine().call(scatter_ValueOperator.index, self.handle, dim, index.handle, value);
  return self;
}

const scatter_SrcOperator = new Operator("aten::scatter_.src");
/** `aten::scatter_.src(Tensor(a!) self, int dim, Tensor index, Tensor src) -> Tensor(a!)` */
export function scatter_Src(self: Tensor, dim: number | bigint, index: Tensor, src: Tensor): Tensor {
  engine().call(scatter_SrcOperator.index, self.handle, dim, index.handle, src.handle);
  return self;
}

const maskedFill_ScalarOperator = new Operator("aten::masked_fill_.Scalar");
/** `aten::masked_fill_.Scalar(Tensor(a!) self, Tensor mask, Scalar value) -> Tensor(a!)` */
export function maskedFill_Scalar(self: Tensor, mask: Tensor, value: Scalar): Tensor {
  engine().call(maskedFill_ScalarOperator.index, self.handle, mask.handle, value);
  return self;
}

const requiresGrad_Operator = new Operator("aten::requires_grad_");
/** `aten::requires_grad_(Tensor(a!) self, bool requires_grad=True) -> Tensor(a!)` */
export function requiresGrad_(self: Tensor, options: { requiresGrad?: boolean | undefined } = {}): Tensor {
  engine().call(requiresGrad_Operator.index, self.handle, options.requiresGrad);
  return self;
}

const detach_Operator = new Operator("aten::detach_");
/** `aten::detach_(Tensor(a!) self) -> Tensor(a!)` */
export function detach_(self: Tensor): Tensor {
  engine().call(detach_Operator.index, self.handle);
  return self;
}

// shape

const viewOperator = new Operator("aten::view");
/** `aten::view(Tensor(a) self, SymInt[] size) -> Tensor(a)` */
export function view(self: Tensor, size: readonly number[]): Tensor {
  return one(engine().call(viewOperator.index, self.handle, size));
}

const reshapeOperator = new Operator("aten::reshape");
/** `aten::reshape(Tensor(a) self, SymInt[] shape) -> Tensor(a)` */
export function reshape(self: Tensor, shape: readonly number[]): Tensor {
  return one(engine().call(reshapeOperator.index, self.handle, shape));
}

const flattenOperator = new Operator("aten::flatten.using_ints");
/** `aten::flatten.using_ints(Tensor(a) self, int start_dim=0, int end_dim=-1) -> Tensor(a)` */
export function flatten(self: Tensor, options: { startDim?: number | bigint | undefined; endDim?: number | bigint | undefined } = {}): Tensor {
  return one(engine().call(flattenOperator.index, self.handle, options.startDim, options.endDim));
}

const permuteOperator = new Operator("aten::permute");
/** `aten::permute(Tensor(a) self, int[] dims) -> Tensor(a)` */
export function permute(self: Tensor, dims: readonly number[]): Tensor {
  return one(engine().call(permuteOperator.index, self.handle, dims));
}

const transposeOperator = new Operator("aten::transpose.int");
/** `aten::transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)` */
export function transpose(self: Tensor, dim0: number | bigint, dim1: number | bigint): Tensor {
  return one(engine().call(transposeOperator.index, self.handle, dim0, dim1));
}

const tOperator = new Operator("aten::t");
/** `aten::t(Tensor(a) self) -> Tensor(a)` */
export function t(self: Tensor): Tensor {
  return one(engine().call(tOperator.index, self.handle));
}

const unsqueezeOperator = new Operator("aten::unsqueeze");
/** `aten::unsqueeze(Tensor(a) self, int dim) -> Tensor(a)` */
export function unsqueeze(self: Tensor, dim: number | bigint): Tensor {
  return one(engine().call(unsqueezeOperator.index, self.handle, dim));
}

const squeezeOperator = new Operator("aten::squeeze");
/** `aten::squeeze(Tensor(a) self) -> Tensor(a)` */
export function squeeze(self: Tensor): Tensor {
  return one(engine().call(squeezeOperator.index, self.handle));
}

const squeezeDimOperator = new Operator("aten::squeeze.dim");
/** `aten::squeeze.dim(Tensor(a) self, int dim) -> Tensor(a)` */
export function squeezeDim(self: Tensor, dim: number | bigint): Tensor {
  return one(engine().call(squeezeDimOperator.index, self.handle, dim));
}

const expandOperator = new Operator("aten::expand");
/** `aten::expand(Tensor(a) self, SymInt[] size, *, bool implicit=False) -> Tensor(a)` */
export function expand(self: Tensor, size: readonly number[], options: { implicit?: boolean | undefined } = {}): Tensor {
  return one(engine().call(expandOperator.index, self.handle, size, options.implicit));
}

const contiguousOperator = new Operator("aten::contiguous");
/** `aten::contiguous(Tensor(a) self, *, MemoryFormat memory_format=0) -> Tensor(a)` */
export function contiguous(self: Tensor, options: { memoryFormat?: MemoryFormat | undefined } = {}): Tensor {
  return one(engine().call(contiguousOperator.index, self.handle, options.memoryFormat));
}

const catOperator = new Operator("aten::cat");
/** `aten::cat(Tensor[] tensors, int dim=0) -> Tensor` */
export function cat(tensors: readonly Tensor[], options: { dim?: number | bigint | undefined } = {}): Tensor {
  return one(engine().call(catOperator.index, handlesOf(tensors), options.dim));
}

const stackOperator = new Operator("aten::stack");
/** `aten::stack(Tensor[] tensors, int dim=0) -> Tensor` */
export function stack(tensors: readonly Tensor[], options: { dim?: number | bigint | undefined } = {}): Tensor {
  return one(engine().call(stackOperator.index, handlesOf(tensors), options.dim));
}

const splitOperator = new Operator("aten::split.Tensor");
/** `aten::split.Tensor(Tensor(a -> *) self, int split_size, int dim=0) -> Tensor(a)[]` */
export function split(self: Tensor, splitSize: number | bigint, options: { dim?: number | bigint | undefined } = {}): Tensor[] {
  return many(engine().call(splitOperator.index, self.handle, splitSize, options.dim));
}

const splitWithSizesOperator = new Operator("aten::split_with_sizes");
/** `aten::split_with_sizes(Tensor(a -> *) self, int[] split_sizes, int dim=0) -> Tensor(a)[]` */
export function splitWithSizes(self: Tensor, splitSizes: readonly number[], options: { dim?: number | bigint | undefined } = {}): Tensor[] {
  return many(engine().call(splitWithSizesOperator.index, self.handle, splitSizes, options.dim));
}

const chunkOperator = new Operator("aten::chunk");
/** `aten::chunk(Tensor(a -> *) self, int chunks, int dim=0) -> Tensor(a)[]` */
export function chunk(self: Tensor, chunks: number | bigint, options: { dim?: number | bigint | undefined } = {}): Tensor[] {
  return many(engine().call(chunkOperator.index, self.handle, chunks, options.dim));
}

const narrowOperator = new Operator("aten::narrow");
/** `aten::narrow(Tensor(a) self, int dim, int start, int length) -> Tensor(a)` */
export function narrow(self: Tensor, dim: number | bigint, start: number | bigint, length: number | bigint): Tensor {
  return one(engine().call(narrowOperator.index, self.handle, dim, start, length));
}

const sliceOperator = new Operator("aten::slice.Tensor");
/** `aten::slice.Tensor(Tensor(a) self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> Tensor(a)` */
export function slice(self: Tensor, options: { dim?: number | bigint | undefined; start?: number | bigint | null | undefined; end?: number | bigint | null | undefined; step?: number | bigint | undefined } = {}): Tensor {
  return one(engine().call(sliceOperator.index, self.handle, options.dim, options.start, options.end, options.step));
}

const selectOperator = new Operator("aten::select.int");
/** `aten::select.int(Tensor(a) self, int dim, int index) -> Tensor(a)` */
export function select(self: Tensor, dim: number | bigint, index: number | bigint): Tensor {
  return one(engine().call(selectOperator.index, self.handle, dim, index));
}

const rollOperator = new Operator("aten::roll");
/** `aten::roll(Tensor self, int[1] shifts, int[1] dims=[]) -> Tensor` */
export function roll(self: Tensor, shifts: number | readonly number[], options: { dims?: number | readonly number[] | undefined } = {}): Tensor {
  return one(engine().call(rollOperator.index, self.handle, shifts, options.dims));
}

const flipOperator = new Operator("aten::flip");
/** `aten::flip(Tensor self, int[] dims) -> Tensor` */
export function flip(self: Tensor, dims: readonly number[]): Tensor {
  return one(engine().call(flipOperator.index, self.handle, dims));
}

const repeatOperator = new Operator("aten::repeat");
/** `aten::repeat(Tensor self, SymInt[] repeats) -> Tensor` */
export function repeat(self: Tensor, repeats: readonly number[]): Tensor {
  return one(engine().call(repeatOperator.index, self.handle, repeats));
}

const tileOperator = new Operator("aten::tile");
/** `aten::tile(Tensor self, int[] dims) -> Tensor` */
export function tile(self: Tensor, dims: readonly number[]): Tensor {
  return one(engine().call(tileOperator.index, self.handle, dims));
}

const unbindOperator = new Operator("aten::unbind.int");
/** `aten::unbind.int(Tensor(a -> *) self, int dim=0) -> Tensor(a)[]` */
export function unbind(self: Tensor, options: { dim?: number | bigint | undefined } = {}): Tensor[] {
  return many(engine().call(unbindOperator.index, self.handle, options.dim));
}

const asStridedOperator = new Operator("aten::as_strided");
/** `aten::as_strided(Tensor(a) self, SymInt[] size, SymInt[] stride, SymInt? storage_offset=None) -> Tensor(a)` */
export function asStrided(self: Tensor, size: readonly number[], stride: readonly number[], options: { storageOffset?: number | bigint | null | undefined } = {}): Tensor {
  return one(engine().call(asStridedOperator.index, self.handle, size, stride, options.storageOffset));
}

const diagonalOperator = new Operator("aten::diagonal");
/** `aten::diagonal(Tensor(a) self, int offset=0, int dim1=0, int dim2=1) -> Tensor(a)` */
export function diagonal(self: Tensor, options: { offset?: number | bigint | undefined; dim1?: number | bigint | undefined; dim2?: number | bigint | undefined } = {}): Tensor {
  return one(engine().call(diagonalOperator.index, self.handle, options.offset, options.dim1, options.dim2));
}

const movedimOperator = new Operator("aten::movedim.int");
/** `aten::movedim.int(Tensor(a) self, int source, int destination) -> Tensor(a)` */
export function movedim(self: Tensor, source: number | bigint, destination: number | bigint): Tensor {
  return one(engine().call(movedimOperator.index, self.handle, source, destination));
}

const unfoldOperator = new Operator("aten::unfold");
/** `aten::unfold(Tensor(a) self, int dimension, int size, int step) -> Tensor(a)` */
export function unfold(self: Tensor, dimension: number | bigint, size: number | bigint, step: number | bigint): Tensor {
  return one(engine().call(unfoldOperator.index, self.handle, dimension, size, step));
}

const repeatInterleaveOperator = new Operator("aten::repeat_interleave.self_int");
/** `aten::repeat_interleave.self_int(Tensor self, int repeats, int? dim=None, *, int? output_size=None) -> Tensor` */
export function repeatInterleave(self: Tensor, repeats: number | bigint, options: { dim?: number | bigint | null | undefined; outputSize?: number | bigint | null | undefined } = {}): Tensor {
  return one(engine().call(repeatInterleaveOperator.index, self.handle, repeats, options.dim, options.outputSize));
}

const pixelUnshuffleOperator = new Operator("aten::pixel_unshuffle");
/** `aten::pixel_unshuffle(Tensor self, int downscale_factor) -> Tensor` */
export function pixelUnshuffle(self: Tensor, downscaleFactor: number | bigint): Tensor {
  return one(engine().call(pixelUnshuffleOperator.index, self.handle, downscaleFactor));
}

// indexing

const indexOperator = new Operator("aten::index.Tensor");
/** `aten::index.Tensor(Tensor self, Tensor?[] indices) -> Tensor` */
export function index(self: Tensor, indices: readonly (Tensor | null)[]): Tensor {
  return one(engine().call(indexOperator.index, self.handle, handlesOf(indices)));
}

const indexSelectOperator = new Operator("aten::index_select");
/** `aten::index_select(Tensor self, int dim, Tensor index) -> Tensor` */
export function indexSelect(self: Tensor, dim: number | bigint, index: Tensor): Tensor {
  return one(engine().call(indexSelectOperator.index, self.handle, dim, index.handle));
}

const gatherOperator = new Operator("aten::gather");
/** `aten::gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor` */
export function gather(self: Tensor, dim: number | bigint, index: Tensor, options: { sparseGrad?: boolean | undefined } = {}): Tensor {
  return one(engine().call(gatherOperator.index, self.handle, dim, index.handle, options.sparseGrad));
}

const takeOperator = new Operator("aten::take");
/** `aten::take(Tensor self, Tensor index) -> Tensor` */
export function take(self: Tensor, index: Tensor): Tensor {
  return one(engine().call(takeOperator.index, self.handle, index.handle));
}

const embeddingOperator = new Operator("aten::embedding");
/** `aten::embedding(Tensor weight, Tensor indices, int padding_idx=-1, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor` */
export function embedding(weight: Tensor, indices: Tensor, options: { paddingIdx?: number | bigint | undefined; scaleGradByFreq?: boolean | undefined; sparse?: boolean | undefined } = {}): Tensor {
  return one(engine().call(embeddingOperator.index, weight.handle, indices.handle, options.paddingIdx, options.scaleGradByFreq, options.sparse));
}

const oneHotOperator = new Operator("aten::one_hot");
/** `aten::one_hot(Tensor self, int num_classes=-1) -> Tensor` */
export function oneHot(self: Tensor, options: { numClasses?: number | bigint | undefined } = {}): Tensor {
  return one(engine().call(oneHotOperator.index, self.handle, options.numClasses));
}

const nonzeroOperator = new Operator("aten::nonzero");
/** `aten::nonzero(Tensor self) -> Tensor` */
export function nonzero(self: Tensor): Tensor {
  return one(engine().call(nonzeroOperator.index, self.handle));
}

const maskedFillScalarOperator = new Operator("aten::masked_fill.Scalar");
/** `aten::masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor` */
export function maskedFillScalar(self: Tensor, mask: Tensor, value: Scalar): Tensor {
  return one(engine().call(maskedFillScalarOperator.index, self.handle, mask.handle, value));
}

const searchsortedOperator = new Operator("aten::searchsorted.Tensor");
/** `aten::searchsorted.Tensor(Tensor sorted_sequence, Tensor self, *, bool out_int32=False, bool right=False, str? side=None, Tensor? sorter=None) -> Tensor` */
export function searchsorted(sortedSequence: Tensor, self: Tensor, options: { outInt32?: boolean | undefined; right?: boolean | undefined; side?: string | null | undefined; sorter?: Tensor | null | undefined } = {}): Tensor {
  return one(engine().call(searchsortedOperator.index, sortedSequence.handle, self.handle, options.outInt32, options.right, options.side, handleOf(options.sorter)));
}

const trilOperator = new Operator("aten::tril");
/** `aten::tril(Tensor self, int diagonal=0) -> Tensor` */
export function tril(self: Tensor, options: { diagonal?: number | bigint | undefined } = {}): Tensor {
  return one(engine().call(trilOperator.index, self.handle, options.diagonal));
}

const triuOperator = new Operator("aten::triu");
/** `aten::triu(Tensor self, int diagonal=0) -> Tensor` */
export function triu(self: Tensor, options: { diagonal?: number | bigint | undefined } = {}): Tensor {
  return one(engine().call(triuOperator.index, self.handle, options.diagonal));
}

// linear

const mmOperator = new Operator("aten::mm");
/** `aten::mm(Tensor self, Tensor mat2) -> Tensor` */
export function mm(self: Tensor, mat2: Tensor): Tensor {
  return one(engine().call(mmOperator.index, self.handle, mat2.handle));
}

const bmmOperator = new Operator("aten::bmm");
/** `aten::bmm(Tensor self, Tensor mat2) -> Tensor` */
export function bmm(self: Tensor, mat2: Tensor): Tensor {
  return one(engine().call(bmmOperator.index, self.handle, mat2.handle));
}

const matmulOperator = new Operator("aten::matmul");
/** `aten::matmul(Tensor self, Tensor other) -> Tensor` */
export function matmul(self: Tensor, other: Tensor): Tensor {
  return one(engine().call(matmulOperator.index, self.handle, other.handle));
}

const addmmOperator = new Operator("aten::addmm");
/** `aten::addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor` */
export function addmm(self: Tensor, mat1: Tensor, mat2: Tensor, options: { beta?: Scalar | undefined; alpha?: Scalar | undefined } = {}): Tensor {
  return one(engine().call(addmmOperator.index, self.handle, mat1.handle, mat2.handle, options.beta, options.alpha));
}

const addmm_Operator = new Operator("aten::addmm_");
/** `aten::addmm_(Tensor(a!) self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor(a!)` */
export function addmm_(self: Tensor, mat1: Tensor, mat2: Tensor, options: { beta?: Scalar | undefined; alpha?: Scalar | undefined } = {}): Tensor {
  engine().call(addmm_Operator.index, self.handle, mat1.handle, mat2.handle, options.beta, options.alpha);
  return self;
}

const linearOperator = new Operator("aten::linear");
/** `aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor` */
export function linear(input: Tensor, weight: Tensor, options: { bias?: Tensor | null | undefined } = {}): Tensor {
  return one(engine().call(linearOperator.index, input.handle, weight.handle, handleOf(options.bias)));
}

const baddbmmOperator = new Operator("aten::baddbmm");
/** `aten::baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor` */
export function baddbmm(self: Tensor, batch1: Tensor, batch2: Tensor, options: { beta?: Scalar | undefined; alpha?: Scalar | undefined } = {}): Tensor {
  return one(engine().call(baddbmmOperator.index, self.handle, batch1.handle, batch2.handle, options.beta, options.alpha));
}

const dotOperator = new Operator("aten::dot");
/** `aten::dot(Tensor self, Tensor tensor) -> Tensor` */
export function dot(self: Tensor, tensor: Tensor): Tensor {
  return one(engine().call(dotOperator.index, self.handle, tensor.handle));
}

const mvOperator = new Operator("aten::mv");
/** `aten::mv(Tensor self, Tensor vec) -> Tensor` */
export function mv(self: Tensor, vec: Tensor): Tensor {
  return one(engine().call(mvOperator.index, self.handle, vec.handle));
}

const outerOperator = new Operator("aten::outer");
/** `aten::outer(Tensor self, Tensor vec2) -> Tensor` */
export function outer(self: Tensor, vec2: Tensor): Tensor {
  return one(engine().call(outerOperator.index, self.handle, vec2.handle));
}

const linalgCholeskyOperator = new Operator("aten::linalg_cholesky");
/** `aten::linalg_cholesky(Tensor self, *, bool upper=False) -> Tensor` */
export function linalgCholesky(self: Tensor, options: { upper?: boolean | undefined } = {}): Tensor {
  return one(engine().call(linalgCholeskyOperator.index, self.handle, options.upper));
}

const linalgSolveTriangularOperator = new Operator("aten::linalg_solve_triangular");
/** `aten::linalg_solve_triangular(Tensor self, Tensor B, *, bool upper, bool left=True, bool unitriangular=False) -> Tensor` */
export function linalgSolveTriangular(self: Tensor, B: Tensor, options: { upper: boolean; left?: boolean | undefined; unitriangular?: boolean | undefined }): Tensor {
  return one(engine().call(linalgSolveTriangularOperator.index, self.handle, B.handle, options.upper, options.left, options.unitriangular));
}

const linalgEighOperator = new Operator("aten::linalg_eigh");
/** `aten::linalg_eigh(Tensor self, str UPLO="L") -> (Tensor eigenvalues, Tensor eigenvectors)` */
export function linalgEigh(self: Tensor, options: { UPLO?: string | undefined } = {}): [Tensor, Tensor] {
  const results = engine().call(linalgEighOperator.index, self.handle, options.UPLO) as unknown[];
  return [one(results[0]), one(results[1])];
}

const linalgSvdOperator = new Operator("aten::linalg_svd");
/** `aten::linalg_svd(Tensor A, bool full_matrices=True, *, str? driver=None) -> (Tensor U, Tensor S, Tensor Vh)` */
export function linalgSvd(A: Tensor, options: { fullMatrices?: boolean | undefined; driver?: string | null | undefined } = {}): [Tensor, Tensor, Tensor] {
  const results = engine().call(linalgSvdOperator.index, A.handle, options.fullMatrices, options.driver) as unknown[];
  return [one(results[0]), one(results[1]), one(results[2])];
}

const cdistOperator = new Operator("aten::cdist");
/** `aten::cdist(Tensor x1, Tensor x2, float p=2., int? compute_mode=None) -> Tensor` */
export function cdist(x1: Tensor, x2: Tensor, options: { p?: number | undefined; computeMode?: number | bigint | null | undefined } = {}): Tensor {
  return one(engine().call(cdistOperator.index, x1.handle, x2.handle, options.p, options.computeMode));
}

const choleskySolveOperator = new Operator("aten::cholesky_solve");
/** `aten::cholesky_solve(Tensor self, Tensor input2, bool upper=False) -> Tensor` */
export function choleskySolve(self: Tensor, input2: Tensor, options: { upper?: boolean | undefined } = {}): Tensor {
  return one(engine().call(choleskySolveOperator.index, self.handle, input2.handle, options.upper));
}

// convolution

const conv2dOperator = new Operator("aten::conv2d");
/** `aten::conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, int[2] dilation=1, int groups=1) -> Tensor` */
export function conv2d(input: Tensor, weight: Tensor, options: { bias?: Tensor | null | undefined; stride?: number | readonly number[] | undefined; padding?: number | readonly number[] | undefined; dilation?: number | readonly number[] | undefined; groups?: number | bigint | undefined } = {}): Tensor {
  return one(engine().call(conv2dOperator.index, input.handle, weight.handle, handleOf(options.bias), options.stride, options.padding, options.dilation, options.groups));
}

const conv2dPaddingOperator = new Operator("aten::conv2d.padding");
/** `aten::conv2d.padding(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, str padding="valid", int[2] dilation=1, int groups=1) -> Tensor` */
export function conv2dPadding(input: Tensor, weight: Tensor, options: { bias?: Tensor | null | undefined; stride?: number | readonly number[] | undefined; padding?: string | undefined; dilation?: number | readonly number[] | undefined; groups?: number | bigint | undefined } = {}): Tensor {
  return one(engine().call(conv2dPaddingOperator.index, input.handle, weight.handle, handleOf(options.bias), options.stride, options.padding, options.dilation, options.groups));
}

const convolutionOperator = new Operator("aten::convolution");
/** `aten::convolution(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, bool transposed, int[] output_padding, int groups) -> Tensor` */
export function convolution(input: Tensor, weight: Tensor, stride: readonly number[], padding: readonly number[], dilation: readonly number[], transposed: boolean, outputPadding: readonly number[], groups: number | bigint, options: { bias?: Tensor | null | undefined } = {}): Tensor {
  return one(engine().call(convolutionOperator.index, input.handle, weight.handle, handleOf(options.bias), stride, padding, dilation, transposed, outputPadding, groups));
}

const convTranspose2dOperator = new Operator("aten::conv_transpose2d.input");
/** `aten::conv_transpose2d.input(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, int[2] output_padding=0, int groups=1, int[2] dilation=1) -> Tensor` */
export function convTranspose2d(input: Tensor, weight: Tensor, options: { bias?: Tensor | null | undefined; stride?: number | readonly number[] | undefined; padding?: number | readonly number[] | undefined; outputPadding?: number | readonly number[] | undefined; groups?: number | bigint | undefined; dilation?: number | readonly number[] | undefined } = {}): Tensor {
  return one(engine().call(convTranspose2dOperator.index, input.handle, weight.handle, handleOf(options.bias), options.stride, options.padding, options.outputPadding, options.groups, options.dilation));
}

const mkldnnReorderConv2dWeightOperator = new Operator("aten::mkldnn_reorder_conv2d_weight");
/** `aten::mkldnn_reorder_conv2d_weight(Tensor self, int[2] padding=0, int[2] stride=1, int[2] dilation=1, int groups=1) -> Tensor` */
export function mkldnnReorderConv2dWeight(self: Tensor, options: { padding?: number | readonly number[] | undefined; stride?: number | readonly number[] | undefined; dilation?: number | readonly number[] | undefined; groups?: number | bigint | undefined } = {}): Tensor {
  return one(engine().call(mkldnnReorderConv2dWeightOperator.index, self.handle, options.padding, options.stride, options.dilation, options.groups));
}

// normalisation

const batchNormOperator = new Operator("aten::batch_norm");
/** `aten::batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps, bool cudnn_enabled) -> Tensor` */
export function batchNorm(input: Tensor, training: boolean, momentum: number, eps: number, cudnnEnabled: boolean, options: { weight?: Tensor | null | undefined; bias?: Tensor | null | undefined; runningMean?: Tensor | null | undefined; runningVar?: Tensor | null | undefined } = {}): Tensor {
  return one(engine().call(batchNormOperator.index, input.handle, handleOf(options.weight), handleOf(options.bias), handleOf(options.runningMean), handleOf(options.runningVar), training, momentum, eps, cudnnEnabled));
}

const nativeBatchNormOperator = new Operator("aten::native_batch_norm");
/** `aten::native_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps) -> (Tensor, Tensor, Tensor)` */
export function nativeBatchNorm(input: Tensor, training: boolean, momentum: number, eps: number, options: { weight?: Tensor | null | undefined; bias?: Tensor | null | undefined; runningMean?: Tensor | null | undefined; runningVar?: Tensor | null | undefined } = {}): [Tensor, Tensor, Tensor] {
  const results = engine().call(nativeBatchNormOperator.index, input.handle, handleOf(options.weight), handleOf(options.bias), handleOf(options.runningMean), handleOf(options.runningVar), training, momentum, eps) as unknown[];
  return [one(results[0]), one(results[1]), one(results[2])];
}

const layerNormOperator = new Operator("aten::layer_norm");
/** `aten::layer_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1.0000000000000001e-05, bool cudnn_enable=True) -> Tensor` */
export function layerNorm(input: Tensor, normalizedShape: readonly number[], options: { weight?: Tensor | null | undefined; bias?: Tensor | null | undefined; eps?: number | undefined; cudnnEnable?: boolean | undefined } = {}): Tensor {
  return one(engine().call(layerNormOperator.index, input.handle, normalizedShape, handleOf(options.weight), handleOf(options.bias), options.eps, options.cudnnEnable));
}

const nativeLayerNormOperator = new Operator("aten::native_layer_norm");
/** `aten::native_layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, Tensor? bias, float eps) -> (Tensor, Tensor, Tensor)` */
export function nativeLayerNorm(input: Tensor, normalizedShape: readonly number[], eps: number, options: { weight?: Tensor | null | undefined; bias?: Tensor | null | undefined } = {}): [Tensor, Tensor, Tensor] {
  const results = engine().call(nativeLayerNormOperator.index, input.handle, normalizedShape, handleOf(options.weight), handleOf(options.bias), eps) as unknown[];
  return [one(results[0]), one(results[1]), one(results[2])];
}

const groupNormOperator = new Operator("aten::group_norm");
/** `aten::group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1.0000000000000001e-05, bool cudnn_enabled=True) -> Tensor` */
export function groupNorm(input: Tensor, numGroups: number | bigint, options: { weight?: Tensor | null | undefined; bias?: Tensor | null | undefined; eps?: number | undefined; cudnnEnabled?: boolean | undefined } = {}): Tensor {
  return one(engine().call(groupNormOperator.index, input.handle, numGroups, handleOf(options.weight), handleOf(options.bias), options.eps, options.cudnnEnabled));
}

const instanceNormOperator = new Operator("aten::instance_norm");
/** `aten::instance_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool use_input_stats, float momentum, float eps, bool cudnn_enabled) -> Tensor` */
export function instanceNorm(input: Tensor, useInputStats: boolean, momentum: number, eps: number, cudnnEnabled: boolean, options: { weight?: Tensor | null | undefined; bias?: Tensor | null | undefined; runningMean?: Tensor | null | undefined; runningVar?: Tensor | null | undefined } = {}): Tensor {
  return one(engine().call(instanceNormOperator.index, input.handle, handleOf(options.weight), handleOf(options.bias), handleOf(options.runningMean), handleOf(options.runningVar), useInputStats, momentum, eps, cudnnEnabled));
}

// activation

const reluOperator = new Operator("aten::relu");
/** `aten::relu(Tensor self) -> Tensor` */
export function relu(self: Tensor): Tensor {
  return one(engine().call(reluOperator.index, self.handle));
}

const relu_Operator = new Operator("aten::relu_");
/** `aten::relu_(Tensor(a!) self) -> Tensor(a!)` */
export function relu_(self: Tensor): Tensor {
  engine().call(relu_Operator.index, self.handle);
  return self;
}

const leakyReluOperator = new Operator("aten::leaky_relu");
/** `aten::leaky_relu(Tensor self, Scalar negative_slope=0.01) -> Tensor` */
export function leakyRelu(self: Tensor, options: { negativeSlope?: Scalar | undefined } = {}): Tensor {
  return one(engine().call(leakyReluOperator.index, self.handle, options.negativeSlope));
}

const geluOperator = new Operator("aten::gelu");
/** `aten::gelu(Tensor self, *, str approximate="none") -> Tensor` */
export function gelu(self: Tensor, options: { approximate?: string | undefined } = {}): Tensor {
  return one(engine().call(geluOperator.index, self.handle, options.approximate));
}

const siluOperator = new Operator("aten::silu");
/** `aten::silu(Tensor self) -> Tensor` */
export function silu(self: Tensor): Tensor {
  return one(engine().call(siluOperator.index, self.handle));
}

const silu_Operator = new Operator("aten::silu_");
/** `aten::silu_(Tensor(a!) self) -> Tensor(a!)` */
export function silu_(self: Tensor): Tensor {
  engine().call(silu_Operator.index, self.handle);
  return self;
}

const hardswishOperator = new Operator("aten::hardswish");
/** `aten::hardswish(Tensor self) -> Tensor` */
export function hardswish(self: Tensor): Tensor {
  return one(engine().call(hardswishOperator.index, self.handle));
}

const hardswish_Operator = new Operator("aten::hardswish_");
/** `aten::hardswish_(Tensor(a!) self) -> Tensor(a!)` */
export function hardswish_(self: Tensor): Tensor {
  engine().call(hardswish_Operator.index, self.handle);
  return self;
}

const hardsigmoidOperator = new Operator("aten::hardsigmoid");
/** `aten::hardsigmoid(Tensor self) -> Tensor` */
export function hardsigmoid(self: Tensor): Tensor {
  return one(engine().call(hardsigmoidOperator.index, self.handle));
}

const hardtanhOperator = new Operator("aten::hardtanh");
/** `aten::hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1) -> Tensor` */
export function hardtanh(self: Tensor, options: { minVal?: Scalar | undefined; maxVal?: Scalar | undefined } = {}): Tensor {
  return one(engine().call(hardtanhOperator.index, self.handle, options.minVal, options.maxVal));
}

const hardtanh_Operator = new Operator("aten::hardtanh_");
/** `aten::hardtanh_(Tensor(a!) self, Scalar min_val=-1, Scalar max_val=1) -> Tensor(a!)` */
export function hardtanh_(self: Tensor, options: { minVal?: Scalar | undefined; maxVal?: Scalar | undefined } = {}): Tensor {
  engine().call(hardtanh_Operator.index, self.handle, options.minVal, options.maxVal);
  return self;
}

const eluOperator = new Operator("aten::elu");
/** `aten::elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor` */
export function elu(self: Tensor, options: { alpha?: Scalar | undefined; scale?: Scalar | undefined; inputScale?: Scalar | undefined } = {}): Tensor {
  return one(engine().call(eluOperator.index, self.handle, options.alpha, options.scale, options.inputScale));
}

const mishOperator = new Operator("aten::mish");
/** `aten::mish(Tensor self) -> Tensor` */
export function mish(self: Tensor): Tensor {
  return one(engine().call(mishOperator.index, self.handle));
}

const softmaxOperator = new Operator("aten::softmax.int");
/** `aten::softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor` */
export function softmax(self: Tensor, dim: number | bigint, options: { dtype?: DType | null | undefined } = {}): Tensor {
  return one(engine().call(softmaxOperator.index, self.handle, dim, options.dtype));
}

const logSoftmaxOperator = new Operator("aten::log_softmax.int");
/** `aten::log_softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor` */
export function logSoftmax(self: Tensor, dim: number | bigint, options: { dtype?: DType | null | undefined } = {}): Tensor {
  return one(engine().call(logSoftmaxOperator.index, self.handle, dim, options.dtype));
}

const thresholdOperator = new Operator("aten::threshold");
/** `aten::threshold(Tensor self, Scalar threshold, Scalar value) -> Tensor` */
export function threshold(self: Tensor, threshold: Scalar, value: Scalar): Tensor {
  return one(engine().call(thresholdOperator.index, self.handle, threshold, value));
}

// pooling

const maxPool2dOperator = new Operator("aten::max_pool2d");
/** `aten::max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1, bool ceil_mode=False) -> Tensor` */
export function maxPool2d(self: Tensor, kernelSize: number | readonly number[], options: { stride?: number | readonly number[] | undefined; padding?: number | readonly number[] | undefined; dilation?: number | readonly number[] | undefined; ceilMode?: boolean | undefined } = {}): Tensor {
  return one(engine().call(maxPool2dOperator.index, self.handle, kernelSize, options.stride, options.padding, options.dilation, options.ceilMode));
}

const avgPool2dOperator = new Operator("aten::avg_pool2d");
/** `aten::avg_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor` */
export function avgPool2d(self: Tensor, kernelSize: number | readonly number[], options: { stride?: number | readonly number[] | undefined; padding?: number | readonly number[] | undefined; ceilMode?: boolean | undefined; countIncludePad?: boolean | undefined; divisorOverride?: number | bigint | null | undefined } = {}): Tensor {
  return one(engine().call(avgPool2dOperator.index, self.handle, kernelSize, options.stride, options.padding, options.ceilMode, options.countIncludePad, options.divisorOverride));
}

const adaptiveAvgPool2dOperator = new Operator("aten::adaptive_avg_pool2d");
/** `aten::adaptive_avg_pool2d(Tensor self, SymInt[2] output_size) -> Tensor` */
export function adaptiveAvgPool2d(self: Tensor, outputSize: number | readonly number[]): Tensor {
  return one(engine().call(adaptiveAvgPool2dOperator.index, self.handle, outputSize));
}

const adaptiveMaxPool2dOperator = new Operator("aten::adaptive_max_pool2d");
/** `aten::adaptive_max_pool2d(Tensor self, int[2] output_size) -> (Tensor, Tensor)` */
export function adaptiveMaxPool2d(self: Tensor, outputSize: number | readonly number[]): [Tensor, Tensor] {
  const results = engine().call(adaptiveMaxPool2dOperator.index, self.handle, outputSize) as unknown[];
  return [one(results[0]), one(results[1])];
}

// loss

const crossEntropyLossOperator = new Operator("aten::cross_entropy_loss");
/** `aten::cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, int ignore_index=-100, float label_smoothing=0.) -> Tensor` */
export function crossEntropyLoss(self: Tensor, target: Tensor, options: { weight?: Tensor | null | undefined; reduction?: number | bigint | undefined; ignoreIndex?: number | bigint | undefined; labelSmoothing?: number | undefined } = {}): Tensor {
  return one(engine().call(crossEntropyLossOperator.index, self.handle, target.handle, handleOf(options.weight), options.reduction, options.ignoreIndex, options.labelSmoothing));
}

const nllLossOperator = new Operator("aten::nll_loss");
/** `aten::nll_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, int ignore_index=-100) -> Tensor` */
export function nllLoss(self: Tensor, target: Tensor, options: { weight?: Tensor | null | undefined; reduction?: number | bigint | undefined; ignoreIndex?: number | bigint | undefined } = {}): Tensor {
  return one(engine().call(nllLossOperator.index, self.handle, target.handle, handleOf(options.weight), options.reduction, options.ignoreIndex));
}

const mseLossOperator = new Operator("aten::mse_loss");
/** `aten::mse_loss(Tensor self, Tensor target, int reduction=1) -> Tensor` */
export function mseLoss(self: Tensor, target: Tensor, options: { reduction?: number | bigint | undefined } = {}): Tensor {
  return one(engine().call(mseLossOperator.index, self.handle, target.handle, options.reduction));
}

const binaryCrossEntropyWithLogitsOperator = new Operator("aten::binary_cross_entropy_with_logits");
/** `aten::binary_cross_entropy_with_logits(Tensor self, Tensor target, Tensor? weight=None, Tensor? pos_weight=None, int reduction=1) -> Tensor` */
export function binaryCrossEntropyWithLogits(self: Tensor, target: Tensor, options: { weight?: Tensor | null | undefined; posWeight?: Tensor | null | undefined; reduction?: number | bigint | undefined } = {}): Tensor {
  return one(engine().call(binaryCrossEntropyWithLogitsOperator.index, self.handle, target.handle, handleOf(options.weight), handleOf(options.posWeight), options.reduction));
}

const klDivOperator = new Operator("aten::kl_div");
/** `aten::kl_div(Tensor self, Tensor target, int reduction=1, *, bool log_target=False) -> Tensor` */
export function klDiv(self: Tensor, target: Tensor, options: { reduction?: number | bigint | undefined; logTarget?: boolean | undefined } = {}): Tensor {
  return one(engine().call(klDivOperator.index, self.handle, target.handle, options.reduction, options.logTarget));
}

// image

const upsampleBilinear2dOperator = new Operator("aten::upsample_bilinear2d");
/** `aten::upsample_bilinear2d(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor` */
export function upsampleBilinear2d(self: Tensor, outputSize: number | readonly number[], alignCorners: boolean, options: { scalesH?: number | null | undefined; scalesW?: number | null | undefined } = {}): Tensor {
  return one(engine().call(upsampleBilinear2dOperator.index, self.handle, outputSize, alignCorners, options.scalesH, options.scalesW));
}

const upsampleBicubic2dOperator = new Operator("aten::upsample_bicubic2d");
/** `aten::upsample_bicubic2d(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor` */
export function upsampleBicubic2d(self: Tensor, outputSize: number | readonly number[], alignCorners: boolean, options: { scalesH?: number | null | undefined; scalesW?: number | null | undefined } = {}): Tensor {
  return one(engine().call(upsampleBicubic2dOperator.index, self.handle, outputSize, alignCorners, options.scalesH, options.scalesW));
}

const upsampleNearest2dOperator = new Operator("aten::upsample_nearest2d");
/** `aten::upsample_nearest2d(Tensor self, SymInt[2] output_size, float? scales_h=None, float? scales_w=None) -> Tensor` */
export function upsampleNearest2d(self: Tensor, outputSize: number | readonly number[], options: { scalesH?: number | null | undefined; scalesW?: number | null | undefined } = {}): Tensor {
  return one(engine().call(upsampleNearest2dOperator.index, self.handle, outputSize, options.scalesH, options.scalesW));
}

const upsampleBilinear2dAaOperator = new Operator("aten::_upsample_bilinear2d_aa");
/** `aten::_upsample_bilinear2d_aa(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor` */
export function upsampleBilinear2dAa(self: Tensor, outputSize: number | readonly number[], alignCorners: boolean, options: { scalesH?: number | null | undefined; scalesW?: number | null | undefined } = {}): Tensor {
  return one(engine().call(upsampleBilinear2dAaOperator.index, self.handle, outputSize, alignCorners, options.scalesH, options.scalesW));
}

const upsampleBicubic2dAaOperator = new Operator("aten::_upsample_bicubic2d_aa");
/** `aten::_upsample_bicubic2d_aa(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor` */
export function upsampleBicubic2dAa(self: Tensor, outputSize: number | readonly number[], alignCorners: boolean, options: { scalesH?: number | null | undefined; scalesW?: number | null | undefined } = {}): Tensor {
  return one(engine().call(upsampleBicubic2dAaOperator.index, self.handle, outputSize, alignCorners, options.scalesH, options.scalesW));
}

const gridSamplerOperator = new Operator("aten::grid_sampler");
/** `aten::grid_sampler(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners) -> Tensor` */
export function gridSampler(input: Tensor, grid: Tensor, interpolationMode: number | bigint, paddingMode: number | bigint, alignCorners: boolean): Tensor {
  return one(engine().call(gridSamplerOperator.index, input.handle, grid.handle, interpolationMode, paddingMode, alignCorners));
}

const affineGridGeneratorOperator = new Operator("aten::affine_grid_generator");
/** `aten::affine_grid_generator(Tensor theta, int[] size, bool align_corners) -> Tensor` */
export function affineGridGenerator(theta: Tensor, size: readonly number[], alignCorners: boolean): Tensor {
  return one(engine().call(affineGridGeneratorOperator.index, theta.handle, size, alignCorners));
}

const constantPadNdOperator = new Operator("aten::constant_pad_nd");
/** `aten::constant_pad_nd(Tensor self, int[] pad, Scalar value=0) -> Tensor` */
export function constantPadNd(self: Tensor, pad: readonly number[], options: { value?: Scalar | undefined } = {}): Tensor {
  return one(engine().call(constantPadNdOperator.index, self.handle, pad, options.value));
}

const reflectionPad2dOperator = new Operator("aten::reflection_pad2d");
/** `aten::reflection_pad2d(Tensor self, int[4] padding) -> Tensor` */
export function reflectionPad2d(self: Tensor, padding: number | readonly number[]): Tensor {
  return one(engine().call(reflectionPad2dOperator.index, self.handle, padding));
}

const im2colOperator = new Operator("aten::im2col");
/** `aten::im2col(Tensor self, int[2] kernel_size, int[2] dilation, int[2] padding, int[2] stride) -> Tensor` */
export function im2col(self: Tensor, kernelSize: number | readonly number[], dilation: number | readonly number[], padding: number | readonly number[], stride: number | readonly number[]): Tensor {
  return one(engine().call(im2colOperator.index, self.handle, kernelSize, dilation, padding, stride));
}

// dropout

const dropoutOperator = new Operator("aten::dropout");
/** `aten::dropout(Tensor input, float p, bool train) -> Tensor` */
export function dropout(input: Tensor, p: number, train: boolean): Tensor {
  return one(engine().call(dropoutOperator.index, input.handle, p, train));
}

const dropout_Operator = new Operator("aten::dropout_");
/** `aten::dropout_(Tensor(a!) self, float p, bool train) -> Tensor(a!)` */
export function dropout_(self: Tensor, p: number, train: boolean): Tensor {
  engine().call(dropout_Operator.index, self.handle, p, train);
  return self;
}

// fused

const batchNormReluOperator = new Operator("thaw::batch_norm_relu");
/** `thaw::batch_norm_relu(Tensor x, Tensor weight, Tensor bias, Tensor(a!) running_mean, Tensor(b!) running_var, bool training, float momentum, float eps, Tensor? residual=None) -> Tensor` */
export function batchNormRelu(x: Tensor, weight: Tensor, bias: Tensor, runningMean: Tensor, runningVar: Tensor, training: boolean, momentum: number, eps: number, options: { residual?: Tensor | null | undefined } = {}): Tensor {
  return one(engine().call(batchNormReluOperator.index, x.handle, weight.handle, bias.handle, runningMean.handle, runningVar.handle, training, momentum, eps, handleOf(options.residual)));
}

const batchNormReluMaxPoolOperator = new Operator("thaw::batch_norm_relu_max_pool");
/** `thaw::batch_norm_relu_max_pool(Tensor x, Tensor weight, Tensor bias, Tensor(a!) running_mean, Tensor(b!) running_var, bool training, float momentum, float eps) -> Tensor` */
export function batchNormReluMaxPool(x: Tensor, weight: Tensor, bias: Tensor, runningMean: Tensor, runningVar: Tensor, training: boolean, momentum: number, eps: number): Tensor {
  return one(engine().call(batchNormReluMaxPoolOperator.index, x.handle, weight.handle, bias.handle, runningMean.handle, runningVar.handle, training, momentum, eps));
}

const linearScoresOperator = new Operator("thaw::linear_scores");
/** `thaw::linear_scores(Tensor x, Tensor weights, Tensor bias) -> Tensor` */
export function linearScores(x: Tensor, weights: Tensor, bias: Tensor): Tensor {
  return one(engine().call(linearScoresOperator.index, x.handle, weights.handle, bias.handle));
}

const linearGradientOperator = new Operator("thaw::linear_gradient");
/** `thaw::linear_gradient(Tensor x, Tensor derivative) -> Tensor` */
export function linearGradient(x: Tensor, derivative: Tensor): Tensor {
  return one(engine().call(linearGradientOperator.index, x.handle, derivative.handle));
}

const fusedGeluOperator = new Operator("thaw::fused_gelu");
/** `thaw::fused_gelu(Tensor x) -> Tensor` */
export function fusedGelu(x: Tensor): Tensor {
  return one(engine().call(fusedGeluOperator.index, x.handle));
}

const layerNormToBfloat16Operator = new Operator("thaw::layer_norm_to_bfloat16");
/** `thaw::layer_norm_to_bfloat16(Tensor x, Tensor weight, Tensor bias, float eps) -> Tensor` */
export function layerNormToBfloat16(x: Tensor, weight: Tensor, bias: Tensor, eps: number): Tensor {
  return one(engine().call(layerNormToBfloat16Operator.index, x.handle, weight.handle, bias.handle, eps));
}

const selfAttentionOperator = new Operator("thaw::self_attention");
/** `thaw::self_attention(Tensor qkv, int heads) -> Tensor` */
export function selfAttention(qkv: Tensor, heads: number | bigint): Tensor {
  return one(engine().call(selfAttentionOperator.index, qkv.handle, heads));
}

const depthwiseConv2dOperator = new Operator("thaw::depthwise_conv2d");
/** `thaw::depthwise_conv2d(Tensor x, Tensor weight, Tensor? bias=None, int stride=1, int padding=0) -> Tensor` */
export function depthwiseConv2d(x: Tensor, weight: Tensor, options: { bias?: Tensor | null | undefined; stride?: number | bigint | undefined; padding?: number | bigint | undefined } = {}): Tensor {
  return one(engine().call(depthwiseConv2dOperator.index, x.handle, weight.handle, handleOf(options.bias), options.stride, options.padding));
}

// foreach

const foreachAdd_ListOperator = new Operator("aten::_foreach_add_.List");
/** `aten::_foreach_add_.List(Tensor(a!)[] self, Tensor[] other, *, Scalar alpha=1) -> ()` */
export function foreachAdd_List(self: readonly Tensor[], other: readonly Tensor[], options: { alpha?: Scalar | undefined } = {}): void {
  engine().call(foreachAdd_ListOperator.index, handlesOf(self), handlesOf(other), options.alpha);
}

const foreachAdd_ScalarOperator = new Operator("aten::_foreach_add_.Scalar");
/** `aten::_foreach_add_.Scalar(Tensor(a!)[] self, Scalar scalar) -> ()` */
export function foreachAdd_Scalar(self: readonly Tensor[], scalar: Scalar): void {
  engine().call(foreachAdd_ScalarOperator.index, handlesOf(self), scalar);
}

const foreachMul_ScalarOperator = new Operator("aten::_foreach_mul_.Scalar");
/** `aten::_foreach_mul_.Scalar(Tensor(a!)[] self, Scalar scalar) -> ()` */
export function foreachMul_Scalar(self: readonly Tensor[], scalar: Scalar): void {
  engine().call(foreachMul_ScalarOperator.index, handlesOf(self), scalar);
}

const foreachMul_ListOperator = new Operator("aten::_foreach_mul_.List");
/** `aten::_foreach_mul_.List(Tensor(a!)[] self, Tensor[] other) -> ()` */
export function foreachMul_List(self: readonly Tensor[], other: readonly Tensor[]): void {
  engine().call(foreachMul_ListOperator.index, handlesOf(self), handlesOf(other));
}

const foreachAddcmul_ScalarOperator = new Operator("aten::_foreach_addcmul_.Scalar");
/** `aten::_foreach_addcmul_.Scalar(Tensor(a!)[] self, Tensor[] tensor1, Tensor[] tensor2, Scalar value=1) -> ()` */
export function foreachAddcmul_Scalar(self: readonly Tensor[], tensor1: readonly Tensor[], tensor2: readonly Tensor[], options: { value?: Scalar | undefined } = {}): void {
  engine().call(foreachAddcmul_ScalarOperator.index, handlesOf(self), handlesOf(tensor1), handlesOf(tensor2), options.value);
}

const foreachAddcdiv_ScalarOperator = new Operator("aten::_foreach_addcdiv_.Scalar");
/** `aten::_foreach_addcdiv_.Scalar(Tensor(a!)[] self, Tensor[] tensor1, Tensor[] tensor2, Scalar value=1) -> ()` */
export function foreachAddcdiv_Scalar(self: readonly Tensor[], tensor1: readonly Tensor[], tensor2: readonly Tensor[], options: { value?: Scalar | undefined } = {}): void {
  engine().call(foreachAddcdiv_ScalarOperator.index, handlesOf(self), handlesOf(tensor1), handlesOf(tensor2), options.value);
}

const foreachSqrtOperator = new Operator("aten::_foreach_sqrt");
/** `aten::_foreach_sqrt(Tensor[] self) -> Tensor[]` */
export function foreachSqrt(self: readonly Tensor[]): Tensor[] {
  return many(engine().call(foreachSqrtOperator.index, handlesOf(self)));
}

const foreachDiv_ListOperator = new Operator("aten::_foreach_div_.List");
/** `aten::_foreach_div_.List(Tensor(a!)[] self, Tensor[] other) -> ()` */
export function foreachDiv_List(self: readonly Tensor[], other: readonly Tensor[]): void {
  engine().call(foreachDiv_ListOperator.index, handlesOf(self), handlesOf(other));
}

const foreachDiv_ScalarOperator = new Operator("aten::_foreach_div_.Scalar");
/** `aten::_foreach_div_.Scalar(Tensor(a!)[] self, Scalar scalar) -> ()` */
export function foreachDiv_Scalar(self: readonly Tensor[], scalar: Scalar): void {
  engine().call(foreachDiv_ScalarOperator.index, handlesOf(self), scalar);
}

const foreachDiv_ScalarListOperator = new Operator("aten::_foreach_div_.ScalarList");
/** `aten::_foreach_div_.ScalarList(Tensor(a!)[] self, Scalar[] scalars) -> ()` */
export function foreachDiv_ScalarList(self: readonly Tensor[], scalars: readonly Scalar[]): void {
  engine().call(foreachDiv_ScalarListOperator.index, handlesOf(self), scalars);
}

const foreachAddListOperator = new Operator("aten::_foreach_add.List");
/** `aten::_foreach_add.List(Tensor[] self, Tensor[] other, *, Scalar alpha=1) -> Tensor[]` */
export function foreachAddList(self: readonly Tensor[], other: readonly Tensor[], options: { alpha?: Scalar | undefined } = {}): Tensor[] {
  return many(engine().call(foreachAddListOperator.index, handlesOf(self), handlesOf(other), options.alpha));
}

const foreachNormScalarOperator = new Operator("aten::_foreach_norm.Scalar");
/** `aten::_foreach_norm.Scalar(Tensor[] self, Scalar ord=2) -> Tensor[]` */
export function foreachNormScalar(self: readonly Tensor[], options: { ord?: Scalar | undefined } = {}): Tensor[] {
  return many(engine().call(foreachNormScalarOperator.index, handlesOf(self), options.ord));
}

// out

const addOutOperator = new Operator("aten::add.out");
/** `aten::add.out(Tensor self, Tensor other, *, Scalar alpha=1, Tensor(a!) out) -> Tensor(a!)` */
export function addOut(self: Tensor, other: Tensor, options: { alpha?: Scalar | undefined; out: Tensor }): Tensor {
  engine().call(addOutOperator.index, self.handle, other.handle, options.alpha, options.out.handle);
  return options.out;
}

const mulOutOperator = new Operator("aten::mul.out");
/** `aten::mul.out(Tensor self, Tensor other, *, Tensor(a!) out) -> Tensor(a!)` */
export function mulOut(self: Tensor, other: Tensor, options: { out: Tensor }): Tensor {
  engine().call(mulOutOperator.index, self.handle, other.handle, options.out.handle);
  return options.out;
}

const mmOutOperator = new Operator("aten::mm.out");
/** `aten::mm.out(Tensor self, Tensor mat2, *, Tensor(a!) out) -> Tensor(a!)` */
export function mmOut(self: Tensor, mat2: Tensor, options: { out: Tensor }): Tensor {
  engine().call(mmOutOperator.index, self.handle, mat2.handle, options.out.handle);
  return options.out;
}

const addmmOutOperator = new Operator("aten::addmm.out");
/** `aten::addmm.out(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1, Tensor(a!) out) -> Tensor(a!)` */
export function addmmOut(self: Tensor, mat1: Tensor, mat2: Tensor, options: { beta?: Scalar | undefined; alpha?: Scalar | undefined; out: Tensor }): Tensor {
  engine().call(addmmOutOperator.index, self.handle, mat1.handle, mat2.handle, options.beta, options.alpha, options.out.handle);
  return options.out;
}

const sqrtOutOperator = new Operator("aten::sqrt.out");
/** `aten::sqrt.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)` */
export function sqrtOut(self: Tensor, options: { out: Tensor }): Tensor {
  engine().call(sqrtOutOperator.index, self.handle, options.out.handle);
  return options.out;
}

const divOutOperator = new Operator("aten::div.out");
/** `aten::div.out(Tensor self, Tensor other, *, Tensor(a!) out) -> Tensor(a!)` */
export function divOut(self: Tensor, other: Tensor, options: { out: Tensor }): Tensor {
  engine().call(divOutOperator.index, self.handle, other.handle, options.out.handle);
  return options.out;
}

const indexSelectOutOperator = new Operator("aten::index_select.out");
/** `aten::index_select.out(Tensor self, int dim, Tensor index, *, Tensor(a!) out) -> Tensor(a!)` */
export function indexSelectOut(self: Tensor, dim: number | bigint, index: Tensor, options: { out: Tensor }): Tensor {
  engine().call(indexSelectOutOperator.index, self.handle, dim, index.handle, options.out.handle);
  return options.out;
}

const catOutOperator = new Operator("aten::cat.out");
/** `aten::cat.out(Tensor[] tensors, int dim=0, *, Tensor(a!) out) -> Tensor(a!)` */
export function catOut(tensors: readonly Tensor[], options: { dim?: number | bigint | undefined; out: Tensor }): Tensor {
  engine().call(catOutOperator.index, handlesOf(tensors), options.dim, options.out.handle);
  return options.out;
}

const matmulOutOperator = new Operator("aten::matmul.out");
/** `aten::matmul.out(Tensor self, Tensor other, *, Tensor(a!) out) -> Tensor(a!)` */
export function matmulOut(self: Tensor, other: Tensor, options: { out: Tensor }): Tensor {
  engine().call(matmulOutOperator.index, self.handle, other.handle, options.out.handle);
  return options.out;
}
