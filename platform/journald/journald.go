// Package journald hands entries with fields to systemd's journal, over its
// native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL).
//
// It never waits for a journal that does not read: the caller has an update to
// finish. An entry that cannot be handed over at once is an error, and the
// caller may write it elsewhere. Safe for concurrent use.
package journald

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Socket is where the journal listens.
const Socket = "/run/systemd/journal/socket"

// patience is how long Send waits for room in a full socket.
const patience = 20 * time.Millisecond

// maxField is how much of a field is kept: an entry has to fit a datagram.
const maxField = 16 << 10

// Field is one field of an entry. Its name consists of A-Z, 0-9 and _, and does
// not begin with _, which marks the journal's own fields.
type Field struct{ Name, Value string }

// Conn is a connection to a journal; the zero Path means Socket.
type Conn struct {
	Path string

	mu   sync.Mutex
	conn net.Conn
}

// Send hands an entry over. It connects again to a journal that was restarted.
func (c *Conn) Send(fields []Field) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry := encode(fields)
	var err error
	for range 2 {
		if c.conn == nil {
			if c.conn, err = c.dial(); err != nil {
				return err
			}
		}
		if err = c.conn.SetWriteDeadline(time.Now().Add(patience)); err == nil {
			_, err = c.conn.Write(entry)
		}
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		// The journal was restarted and has another socket, or is gone.
		_ = c.conn.Close()
		c.conn = nil
	}
	return fmt.Errorf("cannot log to systemd's journal: %w", err)
}

func (c *Conn) dial() (net.Conn, error) {
	path := c.Path
	if path == "" {
		path = Socket
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("cannot log to systemd's journal: %w", err)
	}
	return conn, nil
}

// encode writes fields as the protocol wants them: a value with line breaks has
// its length in front.
func encode(fields []Field) []byte {
	var b []byte
	for _, f := range fields {
		value := f.Value
		if len(value) > maxField {
			value = value[:maxField]
		}
		b = append(b, f.Name...)
		if strings.Contains(value, "\n") {
			b = binary.LittleEndian.AppendUint64(append(b, '\n'), uint64(len(value)))
		} else {
			b = append(b, '=')
		}
		b = append(append(b, value...), '\n')
	}
	return b
}

// IsStream says whether f leads to the journal: in $JOURNAL_STREAM systemd gives
// a service the device and inode of its outputs.
func IsStream(f *os.File, stream string) bool {
	info, err := f.Stat()
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && stream == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// Name turns any text into a field's name.
func Name(s string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, s)
	return strings.TrimLeft(name, "_0123456789")
}
