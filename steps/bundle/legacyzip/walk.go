package legacyzip

import (
	"errors"
	"io"
	"iter"

	"github.com/tope/updater/steps/bundle"
)

// Entries implements bundle.Bundle.
func (z *archive) Entries() iter.Seq2[bundle.Entry, error] {
	return func(yield func(bundle.Entry, error) bool) {
		err := z.walk(func(_ *place, e bundle.Entry) error {
			if !yield(e, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(bundle.Entry{}, err)
		}
	}
}

// errStop ends a walk whose caller needs no more entries.
var errStop = errors.New("stop")

// walk calls f for every entry of the version, with the place that puts it there.
func (z *archive) walk(f func(*place, bundle.Entry) error) error {
	var buf []byte
	for h, err := range z.headers() {
		if err != nil {
			return err
		}
		err = z.placement.each(h, func(pl *place, to string) error {
			e := bundle.Entry{Path: to, Type: h.typ, Mode: h.mode}
			var err error
			switch h.typ {
			case bundle.File:
				e.Size, e.Open = h.size, z.opener(*h)
			case bundle.Link:
				if buf, e.Target, err = z.target(h, buf); err != nil {
					return err
				}
			case bundle.Dir:
			}
			return f(pl, e)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (z *archive) opener(h header) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		_, data, _, err := z.locate(&h, nil)
		if err != nil {
			return nil, err
		}
		return z.open(h, data), nil
	}
}

// target reads a link's target, which is its content.
func (z *archive) target(h *header, buf []byte) ([]byte, string, error) {
	_, data, buf, err := z.locate(h, buf)
	if err != nil {
		return buf, "", err
	}
	c := z.open(*h, data)
	defer c.Close()
	target, err := io.ReadAll(c)
	return buf, string(target), err
}
