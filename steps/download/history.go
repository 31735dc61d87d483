package download

import (
	"time"

	"github.com/tope/updater/steps"
)

// Evidence is what Download leaves in the journal.
type Evidence struct {
	steps.Downloaded
	URL string `json:"url"`
	// ETag, LastModified and ContentType are the headers of the server's answer.
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
	ContentType  string `json:"content_type,omitempty"`
	History
}

var _ steps.Fact = Evidence{}

// History tells the course of the download. It is kept in the checkpoint, so that it
// covers the whole download and not only its last process.
type History struct {
	// Received counts the bytes of the bundle that were received, discarded ones
	// included.
	Received int64 `json:"received"`
	// Resumed counts how often the download went on from where it had been cut.
	// ResumedBytes counts the bytes that were not fetched again.
	Resumed      int   `json:"resumed,omitempty"`
	ResumedBytes int64 `json:"resumed_bytes,omitempty"`
	// Retries counts the waits before another try.
	Retries int `json:"retries,omitempty"`
	// Events are the notable events: each kind once, in the order of its first event.
	Events []Event `json:"events,omitempty"`
}

// Event is an event that helps a person to find out what went wrong.
type Event struct {
	What  string    `json:"what"`
	Count int       `json:"count"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	// Detail describes the last event of this kind.
	Detail string `json:"detail,omitempty"`
}

// The kinds of event. There are few, so History.Events needs no other bound.
const (
	cannotConnect   = "cannot connect"
	noSuchName      = "the host's name does not exist"
	notTrusted      = "somebody else answered in the server's place"
	proxyRefuses    = "the proxy refused"
	loginWanted     = "the network wants a login"
	webPage         = "a page came in the bundle's place"
	encoded         = "the file came encoded"
	badRedirect     = "a redirect that cannot be followed"
	refusal         = "the server refused"
	wrongSize       = "a file of another size came"
	cutShort        = "the file ended early"
	surplus         = "more bytes came than declared"
	fromTheShelf    = "went on with what an earlier update had fetched"
	noCredentials   = "the server's credentials cannot be used"
	heldBack        = "held back by the data budget or the network"
	connectionLost  = "connection lost"
	noAnswer        = "no answer in time"
	wentQuiet       = "server went quiet"
	tooSlow         = "connection too slow"
	serverBusy      = "server said to come back later"
	malformedAnswer = "server sent an answer that makes no sense"
	rangeIgnored    = "server ignored the range"
	wrongRange      = "server sent another range than asked for"
	fileChanged     = "another file came than before"
	wrongPiece      = "bytes came that were not signed, fetching them again"
	fileIsShorter   = "server says the file ends before our offset"
	cannotResume    = "server sends no validator to resume by, reading it again"
	mixedContent    = "digest is wrong after resuming, starting again"
	lostCheckpoint  = "checkpoint does not fit the file on disk, starting again"
	lostBundle      = "bundle on disk is damaged, starting again"
	foundWhole      = "found the whole bundle on disk"
)

// maxDetail bounds the text a server can put into the journal.
const maxDetail = 300

func (h *History) add(what, detail string, now time.Time) {
	if len(detail) > maxDetail {
		detail = detail[:maxDetail] + "…"
	}
	for i := range h.Events {
		if e := &h.Events[i]; e.What == what {
			e.Count, e.Last, e.Detail = e.Count+1, now, detail
			return
		}
	}
	h.Events = append(h.Events, Event{What: what, Count: 1, First: now, Last: now, Detail: detail})
}
