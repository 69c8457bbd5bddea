"""
A network cable as a program: `link.py DELAY NAME NAME` creates two TUN devices. Each packet that is sent into one comes out of the
other one DELAY milliseconds later. It ends with its input.
"""
import collections
import fcntl
import os
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000


def open_device(name):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def main():
    delay = float(sys.argv[1]) / 1000
    ends = [open_device(name) for name in sys.argv[2:4]]
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    waiting = collections.deque()  # (when, device, packet), the earliest first
    print("linked", flush=True)
    while True:
        timeout = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        ready, _, _ = select.select([*ends, sys.stdin], [], [], timeout)
        if sys.stdin in ready:
            return
        now = time.monotonic()
        for end in ready:
            try:
                while True:
                    waiting.append((now + delay, other[end], os.read(end, 65536)))
            except OSError:
                pass  # no more packets, or the device is not up yet
        while waiting and waiting[0][0] <= now:
            _, end, packet = waiting.popleft()
            try:
                os.write(end, packet)
            except OSError:
                pass  # the other host is down: the packet is lost


main()
