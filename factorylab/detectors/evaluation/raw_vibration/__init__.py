"""Raw vibration of a rig: files of samples, healthy and faulty, become windows, and the detector is judged on them.

file_names.py     which files are healthy, which faulty, and at what load, by their names
read_samples.py   files to stretches: consecutive samples of one file, one role and one load
features.py       windows of a stretch to features
trial.py          learn from some of the healthy windows, judge the others and the faulty ones
report.py         what became of the files, in sentences
window_table.py   the scores by windows, in all, by load and by kind of fault
"""
