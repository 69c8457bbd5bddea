//! The classic first network program, without its sleep and its limit of 1000: one thread per connection, which reads up
//! to 512 bytes, checks that they are UTF-8, and writes them back. It has no notion of messages.
//!
//! usage: threads PORT
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::{env, str, thread};

fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 512];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        str::from_utf8(&buffer[..count]).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        stream.write_all(&buffer[..count])?;
    }
}

fn main() -> io::Result<()> {
    let port = env::args().nth(1).and_then(|text| text.parse().ok()).expect("usage: threads PORT");
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    for stream in listener.incoming() {
        let stream = stream?;
        // Not in the classic program. Without it, a block larger than one read waits 40 ms for the client's delayed ACK.
        stream.set_nodelay(true)?;
        thread::spawn(move || {
            if let Err(error) = serve(stream) {
                eprintln!("a client failed: {error}");
            }
        });
    }
    Ok(())
}
