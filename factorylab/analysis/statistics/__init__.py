"""Statistics of few repetitions, some of which may be censored: numbers in, numbers out.

`sample` is what goes in, `location` describes one set, `difference` and `equivalence` compare two, `multiple` corrects
for several comparisons, and `alarms` counts the differences that are shown where there is none.
"""
