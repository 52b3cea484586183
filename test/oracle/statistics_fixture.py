"""Tests and intervals of scipy and statsmodels on small numbers.

Made with SciPy 1.10.1, NumPy 1.24.2 (Debian's python3-scipy) statsmodels 0.13.5, mpmath 1.2.1:
    /usr/bin/python3 -m venv --system-site-packages venv && venv/bin/pip install statsmodels==0.13.5 "numpy==1.24.2" mpmath==1.2.1
    venv/bin/python test/oracle/statistics_fixture.py > test/fixtures/statistics.json

`mcnemar`: p of [both, only first; only second, neither], exact below 25 discordant images, else chi-squared with
correction. `t`: 95 % intervals of a mean; t quantiles are mpmath's, for SciPy 1.10's have nine digits only. `holm`: adjusted p values. `bootstrap`: percentile intervals by NumPy, of thousands of
resamples, on predictions that both sides compute: label i % 4, right where (i * 7919) % 1009 < skill * 1009, else (label +
1 + i % 3) % 4; the second says what the first does of every fifth image; `paired` is first minus second.
"""

import json
import sys

import mpmath
import numpy as np
from scipy import stats
from sklearn.metrics import f1_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

PAIRS = [(0, 0), (1, 0), (0, 6), (3, 9), (12, 12), (10, 14), (9, 16), (13, 12), (15, 15), (40, 61), (117, 93), (700, 500), (10, 90), (300, 2)]
tests = []
for first, second in PAIRS:
    exact = first + second < 25
    found = mcnemar([[50, first], [second, 7]], exact=exact, correction=True)
    tests.append({"onlyFirst": first, "onlySecond": second, "exact": exact, "p": float(found.pvalue)})

mpmath.mp.dps = 30


def quantile(p, df):
    """Where the tail of Student's t, half the regularised incomplete beta function, is 1 - p."""
    near = mpmath.mpf(float(stats.t.ppf(p, df)))
    tail = mpmath.mpf(min(p, 1 - p))
    half = mpmath.mpf(df) / 2
    found = mpmath.findroot(
        lambda t: mpmath.betainc(half, 0.5, 0, df / (df + t * t), regularized=True) / 2 - tail, near
    )
    return float(found)


means = []
for values in ([0.91, 0.92], [0.9102, 0.9046, 0.8979], [0.5, 0.5, 0.5], [0.93, 0.88, 0.9, 0.95, 0.91], [i * i % 17 / 17 for i in range(40)]):
    mean, sem = float(np.mean(values)), float(stats.sem(values))
    half = quantile(0.975, len(values) - 1) * sem
    means.append({"values": values, "mean": mean, "deviation": float(np.std(values, ddof=1)), "lo": mean - half, "hi": mean + half})

quantiles = [{"p": p, "df": df, "t": quantile(p, df)} for p in (0.975, 0.9, 0.3) for df in (1, 2, 3, 9, 30, 400)]
tails = [{"x": x, "p": float(stats.chi2.sf(x, 1))} for x in (0.0, 1e-9, 0.01, 0.5, 2.9, 3.0, 3.1, 3.841458820694124, 10.0, 100.0, 900.0)]
adjusted = [{"ps": ps, "adjusted": multipletests(ps, method="holm")[1].tolist()} for ps in ([0.01, 0.04, 0.03], [0.5, 0.9, 0.2], [1e-6, 0.02, 0.02, 0.9])]


def said(n, skill):
    return np.array([(i % 4) if (i * 7919) % 1009 < skill * 1009 else (i % 4 + 1 + i % 3) % 4 for i in range(n)])


def macro(y, p):
    return f1_score(y, p, average="macro", labels=range(4), zero_division=0)


bootstraps = []
for n, first, second in ((200, 0.8, 0.7), (2000, 0.93, 0.92)):
    y, a = np.arange(n) % 4, said(n, first)
    b = np.where(np.arange(n) % 5 == 0, a, said(n, second))
    rng = np.random.default_rng(1)
    values, accuracy, difference = [], [], []
    for _ in range(20000 if n < 1000 else 4000):
        at = rng.integers(0, n, n)
        one, two = macro(y[at], a[at]), macro(y[at], b[at])
        values.append(one)
        difference.append(one - two)
        accuracy.append(np.mean(a[at] == y[at]) - np.mean(b[at] == y[at]))
    bootstraps.append({
        "images": n, "first": first, "second": second,
        "macroF1": np.percentile(values, [2.5, 97.5]).tolist(),
        "pairedMacroF1": {"value": macro(y, a) - macro(y, b), "interval": np.percentile(difference, [2.5, 97.5]).tolist()},
        "pairedAccuracy": {"value": float(np.mean(a == y) - np.mean(b == y)), "interval": np.percentile(accuracy, [2.5, 97.5]).tolist()},
    })

json.dump(
    {"mcnemar": tests, "t": means, "quantiles": quantiles, "tails": tails, "holm": adjusted, "bootstrap": bootstraps},
    sys.stdout, indent=1,
)
print()
