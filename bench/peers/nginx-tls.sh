#!/bin/sh
# nginx's stream module terminates TLS. It cannot echo by itself, so it passes the bytes to the echo server in C, over a Unix socket.
#
# usage: nginx-tls.sh PORT PEM FOLDER ECHO     (one file with the key and the certificate; an empty folder; the echo server)
#        nginx-tls.sh --version                (fails if nginx has no stream module)
set -eu

# Debian has the module in a file of its own.
module=/usr/lib/nginx/modules/ngx_stream_module.so
if [ -e "$module" ]; then load="load_module $module;"; else load=; fi

if [ "$1" = --version ]; then
  [ -n "$load" ] || nginx -V 2>&1 | grep -q -- '--with-stream\( \|$\)'
  exec nginx -v
fi

port=$1 pem=$2 folder=$3 echo=$4

# No access log, and one process: what one core is for.
cat >"$folder/nginx.conf" <<END
$load
daemon off;
master_process off;
pid $folder/nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
stream {
  server {
    listen 127.0.0.1:$port ssl;
    ssl_certificate $pem;
    ssl_certificate_key $pem;
    ssl_protocols TLSv1.3;
    tcp_nodelay on;
    proxy_pass unix:$folder/echo.sock;
  }
}
END

# It ends when nginx does, however that ends.
if command -v setpriv >/dev/null; then guard='setpriv --pdeathsig KILL'; else guard=; fi
$guard "$echo" "$folder/echo.sock" &
until [ -S "$folder/echo.sock" ]; do sleep 0.01; done
exec nginx -p "$folder" -c "$folder/nginx.conf"
