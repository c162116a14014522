;; Nothing: it is its number that counts.
(module)
