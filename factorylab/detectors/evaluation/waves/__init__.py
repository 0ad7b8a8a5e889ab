"""Raw vibration of a rig: files of samples, healthy and faulty, become windows, and the detector is judged on them.

names      which files are healthy, which faulty, and at what load, by their names
read       files to stretches: consecutive samples of one file, one role and one load
features   windows of a stretch to features
trial      learn from some of the healthy windows, judge the others and the faulty ones
"""
