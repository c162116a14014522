;; One more table.
(module (table 1 funcref))
