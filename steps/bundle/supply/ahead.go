package supply

import (
	"errors"
	"io"

	"github.com/tope/updater/platform/background"
)

// ahead decompresses the solid member beside whoever hashes and writes it: the
// next buffer is made while the last one is used. It has one buffer and a
// thread of low priority, as the workers of Extract have.
type ahead struct {
	*io.PipeReader
	ended chan struct{}
}

var errStopped = errors.New("nobody reads on")

func readAhead(r io.Reader) *ahead {
	in, out := io.Pipe()
	a := &ahead{in, make(chan struct{})}
	go func() {
		defer close(a.ended)
		err := background.Run(func() error {
			// Neither side may take a short cut around the buffer.
			_, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{r}, make([]byte, 128<<10))
			return err
		})
		_ = out.CloseWithError(err) // never fails; without err it is the end
	}()
	return a
}

// stop ends the reading of r, and returns when it has ended.
func (a *ahead) stop() {
	if a == nil {
		return
	}
	_ = a.CloseWithError(errStopped) // never fails
	<-a.ended
}
