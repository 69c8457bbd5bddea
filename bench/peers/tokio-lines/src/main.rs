//! tokio with `LinesCodec`: one task per connection, one `String` per line (UTF-8 is checked), limited length.
//!
//! `forward` writes when nothing more can be read or 8 KiB are buffered, not after each line as `send` would: the faster form.
//!
//! usage: tokio-lines PORT [echo|upper|upper-async] [LONGEST LINE]
use futures::{StreamExt, TryStreamExt};
use std::{env, io};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{FramedRead, FramedWrite, LinesCodec, LinesCodecError};

/// The same read size as yodel and the C server. The default of 8 KiB is slower with long lines.
const READ_SIZE: usize = 64 * 1024;

async fn serve(stream: TcpStream, mode: &str, longest: usize) -> Result<(), LinesCodecError> {
    let (reader, writer) = stream.into_split();
    let lines = FramedRead::with_capacity(reader, LinesCodec::new_with_max_length(longest), READ_SIZE);
    let replies = FramedWrite::new(writer, LinesCodec::new_with_max_length(longest));
    match mode {
        "upper" => lines.map_ok(|line| line.to_uppercase()).forward(replies).await,
        "upper-async" => lines.and_then(upper).forward(replies).await,
        _ => lines.forward(replies).await,
    }
}

async fn upper(line: String) -> Result<String, LinesCodecError> {
    Ok(line.to_uppercase())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().collect();
    let port: u16 = arguments[1].parse().expect("usage: tokio-lines PORT [MODE] [LONGEST LINE]");
    let mode: &'static str = arguments.get(2).cloned().unwrap_or_default().leak();
    let longest = arguments.get(3).and_then(|text| text.parse().ok()).unwrap_or(65_536);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            if let Err(error) = serve(stream, mode, longest).await {
                eprintln!("a client failed: {error}");
            }
        });
    }
}
