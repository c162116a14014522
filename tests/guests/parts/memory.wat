;; One more memory.
(module (memory 1))
