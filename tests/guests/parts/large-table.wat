;; Begins with more elements than a table may have.
(module (table 100001 funcref))
