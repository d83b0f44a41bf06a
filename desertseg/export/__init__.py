"""A model out of Keras: files for other runtimes, each compared with the model before it is kept."""
