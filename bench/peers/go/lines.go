// Go with bufio: a goroutine for each connection, a slice for each line, UTF-8 checked, a limit on its length. Replies are
// written when there is nothing more to read, not after each line.
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

// What yodel and the C server read at once, too. The 4 KiB that bufio takes by itself are slower everywhere here.
const bufferSize = 64 * 1024

// Reading may wait for the client, who may wait for replies: so they are sent before.
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

// The line with its LF. It is lent until the next call.
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
