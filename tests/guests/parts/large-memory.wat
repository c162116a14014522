;; Begins with 64 MiB.
(module (memory 1024))
