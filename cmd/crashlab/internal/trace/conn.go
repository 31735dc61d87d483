//go:build linux && amd64

package trace

import (
	"encoding/json"
	"errors"
	"io"
	"sync"

	"golang.org/x/sys/unix"
)

// conn is the wire between a machine and the laboratory: one JSON message a
// packet. It uses calls the filter does not watch.
type conn struct {
	fd   int
	once sync.Once
}

func newConn(fd int) *conn { return &conn{fd: fd} }

func (c *conn) Close() { c.once.Do(func() { unix.Close(c.fd) }) }

func (c *conn) send(v any, fds ...int) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	return unix.Sendmsg(c.fd, b, oob, nil, unix.MSG_NOSIGNAL)
}

func (c *conn) receive(v any) (fds []int, err error) {
	b, oob := make([]byte, 1<<17), make([]byte, 64)
	for {
		n, on, _, _, err := unix.Recvmsg(c.fd, b, oob, unix.MSG_CMSG_CLOEXEC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, io.EOF
		}
		msgs, err := unix.ParseSocketControlMessage(oob[:on])
		if err != nil {
			return nil, err
		}
		for i := range msgs {
			got, err := unix.ParseUnixRights(&msgs[i])
			if err != nil {
				return nil, err
			}
			fds = append(fds, got...)
		}
		return fds, json.Unmarshal(b[:n], v)
	}
}

// hello waits for the stub's first message, which carries its listeners.
func (c *conn) hello() ([]int, error) {
	var r reply
	fds, err := c.receive(&r)
	if err == nil && r.Error != "" {
		err = errors.New(r.Error)
	}
	return fds, err
}
