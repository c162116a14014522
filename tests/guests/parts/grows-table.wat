;; Lets its table grow until it gets no more, as soon as it is made, and then traps.
(module
  (table $it 1 funcref)
  (func $start
    (loop $more
      (br_if $more
        (i32.ne (table.grow $it (ref.null func) (i32.const 30000)) (i32.const -1))))
    unreachable)
  (start $start))
