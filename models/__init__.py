"""The ML bench: data set, training, evaluation, export; the only home of torch and ultralytics."""
