package download

import (
	"context"
	"errors"
	"io"

	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// origin is where a bundle comes from.
type origin interface {
	// open begins to read at w.offset, or at 0 when the source cannot begin there; see
	// failure.go for its errors. The end of ctx also ends the reading.
	open(ctx context.Context, w want) (*stream, error)
}

// stream is an opened origin.
type stream struct {
	offer
	body io.ReadCloser
	// fail turns an error of body.Read into one of the kinds in failure.go.
	fail func(error) error
	// check is called after the last byte. It returns an error when the file changed
	// during the reading. It may be nil.
	check func() error
}

// newOrigin returns the origin for a source's URL or path. It opens nothing yet.
func newOrigin(cfg Config, from steps.Source, handed *steps.Handed) (origin, error) {
	at, err := from.URL.Parse()
	var refused *source.Error
	switch {
	case errors.As(err, &refused):
		return nil, unavailable(refused.Hint, "%s", refused.What)
	case err != nil:
		return nil, err
	case at.Web():
		return &httpSource{cfg, from}, nil
	}
	if handed != nil {
		return handedSource(cfg, at.Path, handed), nil
	}
	return newLocalSource(cfg, at.Path), nil
}

// words are how messages speak of a source.
type words struct {
	// doing is what the step does: "download URL" or "copy PATH".
	doing string
	// file is the bundle as it lies there.
	file string
	// fault is the advice about a source whose answers are unusable again and again.
	fault string
}

// wordsFor returns the words for a source. It calls a local file a file, so that
// nobody looks for a server.
func wordsFor(from source.URL) words {
	if at, err := from.Parse(); err == nil && !at.Web() {
		return words{"copy " + at.Path, localFile, copyAgain}
	}
	return words{"download " + from.Redacted(), serversFile, "the server, or a proxy before it, is at fault"}
}

const (
	serversFile = "the server's file"
	localFile   = "the file"
	copyAgain   = "copy it there completely, then try again"
)
