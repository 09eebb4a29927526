"""The containers of brokers' files. The package loads no reader by itself: those of PDF and XLS take 16 MB, and every
command looks here for how large a file may be."""
