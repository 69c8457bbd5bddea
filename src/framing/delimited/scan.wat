;; Finds one byte in a piece of bytes, 16 at a time. `npm run wasm` makes scan-module.ts from this file.
;;
;; Memory: [0, 65536) the bytes, [65536, 65552) padding for a read of 16 bytes at the end,
;; [65552, 65552 + 4 * 65536) what `ends` writes.
(module
  (memory (export "memory") 6 6)

  ;; Returns how many of the first $length bytes are $byte.
  (func (export "count") (param $length i32) (param $byte i32) (result i32)
    (local $at i32) (local $stop i32) (local $total i32) (local $needle v128) (local $sums v128)
    (local.set $needle (i8x16.splat (local.get $byte)))
    (block $done
      (loop $blocks
        ;; A lane that matches is -1: 255 rounds fit a lane of 8 bits.
        (local.set $sums (v128.const i64x2 0 0))
        (local.set $stop (i32.add (local.get $at) (i32.const 4064)))
        (if (i32.gt_u (local.get $stop) (i32.sub (local.get $length) (i32.const 15)))
          (then (local.set $stop (i32.and (local.get $length) (i32.const -16)))))
        (if (i32.lt_u (local.get $length) (i32.const 16)) (then (local.set $stop (i32.const 0))))
        (br_if $done (i32.ge_u (local.get $at) (local.get $stop)))
        (loop $rounds
          (local.set $sums
            (i8x16.sub (local.get $sums) (i8x16.eq (v128.load (local.get $at)) (local.get $needle))))
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (br_if $rounds (i32.lt_u (local.get $at) (local.get $stop))))
        (local.set $sums
          (i32x4.extadd_pairwise_i16x8_u (i16x8.extadd_pairwise_i8x16_u (local.get $sums))))
        (local.set $total
          (i32.add (local.get $total)
            (i32.add
              (i32.add (i32x4.extract_lane 0 (local.get $sums)) (i32x4.extract_lane 1 (local.get $sums)))
              (i32.add (i32x4.extract_lane 2 (local.get $sums)) (i32x4.extract_lane 3 (local.get $sums))))))
        (br $blocks)))
    ;; The last, incomplete 16 bytes: those after $length are masked out.
    (i32.add (local.get $total)
      (i32.popcnt
        (i32.and
          (i8x16.bitmask (i8x16.eq (v128.load (local.get $at)) (local.get $needle)))
          (i32.sub (i32.shl (i32.const 1) (i32.sub (local.get $length) (local.get $at))) (i32.const 1))))))

  ;; Writes the offset just after each $byte of the first $length bytes, plus $base. Returns how many there are.
  (func (export "ends") (param $length i32) (param $byte i32) (param $base i32) (result i32)
    (local $at i32) (local $mask i32) (local $out i32) (local $needle v128)
    (local.set $needle (i8x16.splat (local.get $byte)))
    (local.set $out (i32.const 65552))
    (local.set $base (i32.add (local.get $base) (i32.const 1)))
    (loop $blocks
      (if (i32.lt_u (local.get $at) (local.get $length))
        (then
          (local.set $mask (i8x16.bitmask (i8x16.eq (v128.load (local.get $at)) (local.get $needle))))
          (if (i32.lt_u (i32.sub (local.get $length) (local.get $at)) (i32.const 16))
            (then
              (local.set $mask
                (i32.and (local.get $mask)
                  (i32.sub (i32.shl (i32.const 1) (i32.sub (local.get $length) (local.get $at))) (i32.const 1))))))
          (loop $bits
            (if (local.get $mask)
              (then
                (i32.store (local.get $out)
                  (i32.add (i32.add (local.get $base) (local.get $at)) (i32.ctz (local.get $mask))))
                (local.set $out (i32.add (local.get $out) (i32.const 4)))
                (local.set $mask (i32.and (local.get $mask) (i32.sub (local.get $mask) (i32.const 1))))
                (br $bits))))
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (br $blocks))))
    (i32.shr_u (i32.sub (local.get $out) (i32.const 65552)) (i32.const 2))))
