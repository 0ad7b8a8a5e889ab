"""Recordings of real machines: one reader for `factorylab score`, a scenario's `source` and a fleet's.

    text       bytes to text: encodings, gzip
    table      text to named columns of cells: separators, header, preamble, units, comments
    numbers    cells to numbers: decimal commas, thousands, holes
    times      cells to UTC: epochs, Excel's days, dates in their order; `zones` for local times
    labels     which rows are known to be wrong, and what a detector must never see
    channels   which columns are measurements
    windows    files of times at which something is wrong
    read       all of it: a file becomes recordings, one a machine

What cannot be read for certain is refused, with the line and the way out; what was assumed or left out is in the
`account` of each recording. Pure: no Kafka, no database.
"""
