;; Unmasks and compacts a client's frames in a piece of bytes, 16 bytes at a time. `npm run wasm` makes frames-module.ts from
;; this file.
;;
;; Memory: [0, 65536) the bytes, before and after, [65536, 65552) padding for a read of 16 bytes at the end,
;; [65552, 65552 + 4 * 65536) the ends, then the number of bytes read and of those written.
(module
  (memory (export "memory") 6 6)

  ;; Rewrites the frames at the beginning of the first $length bytes as frames of a server, one after another from 0 on. Stops
  ;; before a frame that is not a whole message, not complete, longer than $limit, or longer than 65535 bytes. Returns the
  ;; number of frames. Writes where each of them ends, with the highest bit set if its payload is not ASCII.
  (func (export "frames") (param $length i32) (param $limit i32) (result i32)
    (local $at i32) (local $out i32) (local $count i32) (local $first i32) (local $size i32) (local $rest i32)
    (local $payload i32) (local $target i32) (local $end i32) (local $high i32)
    (local $key v128) (local $bytes v128) (local $seen v128)
    (block $done
      (loop $next
        (br_if $done (i32.lt_u (i32.sub (local.get $length) (local.get $at)) (i32.const 6)))
        ;; A text or binary message in one frame.
        (local.set $first (i32.load8_u (local.get $at)))
        (br_if $done (i32.gt_u (i32.sub (local.get $first) (i32.const 0x81)) (i32.const 1)))
        (local.set $size (i32.load8_u offset=1 (local.get $at)))
        (br_if $done (i32.lt_u (local.get $size) (i32.const 0x80)))
        (local.set $size (i32.and (local.get $size) (i32.const 0x7f)))
        (br_if $done (i32.eq (local.get $size) (i32.const 127)))
        (local.set $payload (i32.add (local.get $at) (i32.const 6)))
        (if (i32.eq (local.get $size) (i32.const 126))
          (then
            (local.set $payload (i32.add (local.get $at) (i32.const 8)))
            (br_if $done (i32.lt_u (local.get $length) (local.get $payload)))
            (local.set $size
              (i32.or
                (i32.shl (i32.load8_u offset=2 (local.get $at)) (i32.const 8))
                (i32.load8_u offset=3 (local.get $at))))
            ;; A shorter header would do.
            (br_if $done (i32.lt_u (local.get $size) (i32.const 126)))))
        (br_if $done (i32.gt_u (local.get $size) (local.get $limit)))
        (local.set $end (i32.add (local.get $payload) (local.get $size)))
        (br_if $done (i32.gt_u (local.get $end) (local.get $length)))
        ;; The header is written over bytes that were read: the key, too.
        (local.set $key (i32x4.splat (i32.load (i32.sub (local.get $payload) (i32.const 4)))))
        (i32.store8 (local.get $out) (local.get $first))
        (if (i32.lt_u (local.get $size) (i32.const 126))
          (then
            (i32.store8 offset=1 (local.get $out) (local.get $size))
            (local.set $target (i32.add (local.get $out) (i32.const 2))))
          (else
            (i32.store8 offset=1 (local.get $out) (i32.const 126))
            (i32.store8 offset=2 (local.get $out) (i32.shr_u (local.get $size) (i32.const 8)))
            (i32.store8 offset=3 (local.get $out) (local.get $size))
            (local.set $target (i32.add (local.get $out) (i32.const 4)))))
        (local.set $seen (v128.const i64x2 0 0))
        (block $whole
          (loop $blocks
            (br_if $whole (i32.lt_u (i32.sub (local.get $end) (local.get $payload)) (i32.const 16)))
            (local.set $bytes (v128.xor (v128.load (local.get $payload)) (local.get $key)))
            (v128.store (local.get $target) (local.get $bytes))
            (local.set $seen (v128.or (local.get $seen) (local.get $bytes)))
            (local.set $payload (i32.add (local.get $payload) (i32.const 16)))
            (local.set $target (i32.add (local.get $target) (i32.const 16)))
            (br $blocks)))
        ;; The last, incomplete 16 bytes. What follows them is the next frame, and must not be overwritten.
        (local.set $rest (i32.sub (local.get $end) (local.get $payload)))
        (local.set $bytes (v128.xor (v128.load (local.get $payload)) (local.get $key)))
        (local.set $high
          (i32.or
            (i8x16.bitmask (local.get $seen))
            (i32.and
              (i8x16.bitmask (local.get $bytes))
              (i32.sub (i32.shl (i32.const 1) (local.get $rest)) (i32.const 1)))))
        (if (i32.and (local.get $rest) (i32.const 8))
          (then
            (v128.store64_lane 0 (local.get $target) (local.get $bytes))
            (local.set $target (i32.add (local.get $target) (i32.const 8)))
            (local.set $bytes
              (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $bytes) (local.get $bytes)))))
        (if (i32.and (local.get $rest) (i32.const 4))
          (then
            (v128.store32_lane 0 (local.get $target) (local.get $bytes))
            (local.set $target (i32.add (local.get $target) (i32.const 4)))
            (local.set $bytes
              (i8x16.shuffle 4 5 6 7 4 5 6 7 4 5 6 7 4 5 6 7 (local.get $bytes) (local.get $bytes)))))
        (if (i32.and (local.get $rest) (i32.const 2))
          (then
            (v128.store16_lane 0 (local.get $target) (local.get $bytes))
            (local.set $target (i32.add (local.get $target) (i32.const 2)))
            (local.set $bytes
              (i8x16.shuffle 2 3 2 3 2 3 2 3 2 3 2 3 2 3 2 3 (local.get $bytes) (local.get $bytes)))))
        (if (i32.and (local.get $rest) (i32.const 1))
          (then
            (v128.store8_lane 0 (local.get $target) (local.get $bytes))
            (local.set $target (i32.add (local.get $target) (i32.const 1)))))
        (local.set $out (local.get $target))
        (local.set $at (local.get $end))
        (i32.store offset=65552
          (i32.shl (local.get $count) (i32.const 2))
          (i32.or
            (local.get $out)
            (select (i32.const 0x80000000) (i32.const 0) (local.get $high))))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.store (i32.const 327696) (local.get $at))
    (i32.store (i32.const 327700) (local.get $out))
    (local.get $count)))
