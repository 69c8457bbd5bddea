// Go with bufio: one goroutine per connection, one slice per line, UTF-8 checked, limited length. Replies are
// written when nothing more can be read, not after each line.
//
// usage: lines PORT [echo|upper] [LONGEST LINE]
package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"unicode/utf8"
)

// The same read size as yodel and the C server. bufio's default of 4 KiB is slower in all workloads.
const bufferSize = 64 * 1024

// Reading may block on a client that waits for replies, so replies are flushed first.
type flushingReader struct {
	conn   net.Conn
	writer *bufio.Writer
}

func (r flushingReader) Read(space []byte) (int, error) {
	if err := r.writer.Flush(); err != nil {
		return 0, err
	}
	return r.conn.Read(space)
}

var errTooLong = errors.New("a line is too long")

// The line with its LF, valid until the next call.
func readLine(reader *bufio.Reader, longest int) ([]byte, error) {
	line, err := reader.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return line, err
	}
	whole := append([]byte(nil), line...)
	for err == bufio.ErrBufferFull && len(whole) <= longest {
		line, err = reader.ReadSlice('\n')
		whole = append(whole, line...)
	}
	if len(whole) > longest+1 {
		return nil, errTooLong
	}
	return whole, err
}

func serve(conn net.Conn, handle func([]byte) []byte, longest int) error {
	defer conn.Close()
	writer := bufio.NewWriterSize(conn, bufferSize)
	reader := bufio.NewReaderSize(flushingReader{conn, writer}, bufferSize)
	for {
		line, err := readLine(reader, longest)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if !utf8.Valid(line) {
			return errors.New("a line is not UTF-8")
		}
		if _, err := writer.Write(handle(line)); err != nil {
			return err
		}
	}
}

func main() {
	longest := 65536
	if len(os.Args) > 3 {
		longest, _ = strconv.Atoi(os.Args[3])
	}
	handle := func(line []byte) []byte { return line }
	if len(os.Args) > 2 && os.Args[2] == "upper" {
		handle = bytes.ToUpper
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			if err := serve(conn, handle, longest); err != nil {
				log.Print("a client failed: ", err)
			}
		}()
	}
}
