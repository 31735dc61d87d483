package download

import (
	"cmp"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tope/updater/steps"
)

// unknown stands for a size that is not known.
const unknown = -1

// want describes a request, and the facts about the file that are known so far.
type want struct {
	// offset is where the range begins; 0 asks for the whole file.
	offset int64
	// end is where the range ends; 0 or unknown asks for everything from offset on.
	end int64
	// declared is the size the source declared, or unknown.
	declared int64
	// total is the file's size as the server told it earlier, or unknown.
	total int64
	// max bounds the size of a file whose size was not declared.
	max int64
	// file is the word for the file in messages; empty for a file of a server.
	file string
	mark mark
	now  time.Time
	cap  time.Duration // of Retry-After
}

// offer describes the body of a usable answer.
type offer struct {
	// offset is where the body begins in the file: want.offset, or 0 when the
	// server sends the whole file anyway. In that case event says why.
	offset int64
	event  string
	// end is where the body ends; unknown when the server does not tell.
	end int64
	// total is the file's size; unknown when the server does not tell.
	total int64
	// whole says that the server answered with the whole file.
	whole bool
	// marked says that a body of unknown length has a visible end (chunked).
	// Without such an end, a cut connection looks like the end of the file.
	marked      bool
	mark        mark
	contentType string
}

// judge decides what the header of an answer means. It is a pure function, and the only
// one that decides this. See failure.go for the kinds of error.
func judge(resp *http.Response, w want) (*offer, error) {
	o := &offer{mark: markOf(resp.Header), contentType: mediaType(resp.Header), end: unknown, total: unknown}
	o.marked = len(resp.TransferEncoding) > 0
	switch code := resp.StatusCode; {
	case code == http.StatusOK || code == http.StatusPartialContent:
		if encoding := resp.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
			return nil, unavailable("have the server send the file as it is",
				"the server sent the file encoded (Content-Encoding: %.40s) though asked not to", encoding)
		}
		if code == http.StatusOK {
			return judgeWhole(o, resp.ContentLength, w)
		}
		return judgeRange(o, resp, w)
	case code == http.StatusRequestedRangeNotSatisfiable && w.offset > 0:
		return judgeNoRange(o, resp.Header.Get("Content-Range"), w)
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == http.StatusTooEarly, code >= 500 && code <= 599:
		return nil, &outage{
			what: serverBusy, err: fmt.Errorf("the server answered %s", status(code)),
			after: retryAfter(resp.Header, w.now, w.cap),
		}
	case code >= 300 && code <= 399:
		return nil, unavailable("correct the URL", "the server answered %s without a usable Location", status(code))
	default:
		return nil, unavailable(hintFor(code), "the server answered %s", status(code))
	}
}

// judgeWhole: 200, the file from its beginning.
func judgeWhole(o *offer, length int64, w want) (*offer, error) {
	if w.offset > 0 {
		o.event = rangeIgnored
		if w.mark.differs(o.mark) || length >= 0 && w.total >= 0 && length != w.total {
			o.event = fileChanged
		}
	}
	o.end, o.total, o.whole = length, length, true
	return o, checkTotal(o, w)
}

// judgeRange: 206, a part of it.
func judgeRange(o *offer, resp *http.Response, w want) (*offer, error) {
	header := resp.Header.Get("Content-Range")
	if w.offset == 0 && w.end <= 0 {
		return nil, &fault{what: malformedAnswer, err: fmt.Errorf("the server answered 206 (Content-Range: %.80q) to a request for the whole file", header)}
	}
	if w.mark.differs(o.mark) {
		return nil, &fault{what: fileChanged, restart: true, err: errors.New("the server answered 206 with a part of another file than before")}
	}
	first, last, total, ok := parseContentRange(header)
	switch {
	case !ok || first != w.offset || w.end > 0 && last >= w.end || resp.ContentLength >= 0 && resp.ContentLength != last-first+1:
		return nil, &fault{
			what: wrongRange, restart: true,
			err: fmt.Errorf("the server answered 206 with Content-Range %.80q to a request from byte %d on", header, w.offset),
		}
	case total >= 0 && w.total >= 0 && total != w.total:
		return nil, &fault{what: fileChanged, restart: true, err: fmt.Errorf("the file had %d bytes before and has %d now", w.total, total)}
	}
	o.offset, o.end, o.total = first, last+1, total
	if total < 0 {
		o.total = w.total
	}
	return o, checkTotal(o, w)
}

// judgeNoRange: 416, the file has no bytes from our offset on. When the file ends
// exactly at our offset, it is complete; its size was not known until now.
func judgeNoRange(o *offer, header string, w want) (*offer, error) {
	if size, ok := strings.CutPrefix(header, "bytes */"); ok && !w.mark.differs(o.mark) {
		if total, err := strconv.ParseInt(size, 10, 64); err == nil && total == w.offset {
			o.offset, o.end, o.total = total, total, total
			return o, checkTotal(o, w)
		}
	}
	return nil, &fault{
		what: fileIsShorter, restart: true,
		err: fmt.Errorf("the server answered 416 (Content-Range: %.80q) to a request from byte %d on", header, w.offset),
	}
}

// checkTotal compares the file's size with the declared one, before a byte of the file
// is read.
func checkTotal(o *offer, w want) error {
	file := cmp.Or(w.file, serversFile)
	switch {
	case o.total == unknown:
		return nil
	case w.declared >= 0 && o.total != w.declared:
		return refused(steps.SizeMismatch, pageHint(o.contentType), "%s has %d bytes, %d were declared", file, o.total, w.declared)
	case o.total == 0:
		return refused(steps.SizeMismatch, pageHint(o.contentType), "%s is empty", file)
	case o.total > w.max:
		return refused(steps.SizeMismatch, "", "%s has %d bytes, more than the %d this device takes", file, o.total, w.max)
	}
	return nil
}

// pageHint returns a hint when the content type is that of a web page and not of a
// bundle.
func pageHint(contentType string) string {
	switch contentType {
	case "text/html", "application/xhtml+xml", "text/plain", "application/json", "text/xml", "application/xml":
		return "its type is " + contentType + ": probably an error or login page instead of a bundle"
	}
	return ""
}

func hintFor(code int) string {
	switch code {
	case http.StatusNotFound, http.StatusGone:
		return "check the URL, and that the release is still published"
	case http.StatusUnauthorized, http.StatusForbidden:
		return "the device is not allowed to have it: check the URL's credentials or its expiry"
	case http.StatusProxyAuthRequired:
		return "check the proxy's credentials"
	}
	return ""
}

func status(code int) string {
	if text := http.StatusText(code); text != "" {
		return strconv.Itoa(code) + " " + text
	}
	return strconv.Itoa(code)
}

func mediaType(h http.Header) string {
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

// markOf reads the validators. A Last-Modified may stand in If-Range only when it is
// strong (RFC 9110, 8.8.2.2): the file was not changed again within the second that
// the header names. A validator that is too long to keep counts as absent.
func markOf(h http.Header) mark {
	const longest = 512
	m := mark{ETag: h.Get("ETag"), Modified: h.Get("Last-Modified")}
	if len(m.ETag) > longest {
		m.ETag = ""
	}
	modified, err := http.ParseTime(m.Modified)
	if err != nil {
		m.Modified = ""
	}
	if strings.HasPrefix(m.ETag, `"`) && strings.HasSuffix(m.ETag, `"`) && len(m.ETag) > 1 {
		m.Strong = m.ETag
		return m
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil && m.Modified != "" && date.Sub(modified) >= time.Second {
		m.Strong = m.Modified
	}
	return m
}

// retryAfter reads the header's seconds or its date. A date is compared with the
// server's own clock where that is known. The result is 0 when the header is not usable.
func retryAfter(h http.Header, now time.Time, longest time.Duration) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		if seconds > int64(longest/time.Second) {
			return longest
		}
		return max(0, time.Duration(seconds)*time.Second)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(0, at.Sub(now)), longest)
}

// parseContentRange reads "bytes 5-9/10" or "bytes 5-9/*".
func parseContentRange(s string) (first, last, total int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	span, size, ok2 := strings.Cut(s, "/")
	a, b, ok3 := strings.Cut(span, "-")
	if !ok || !ok2 || !ok3 {
		return 0, 0, 0, false
	}
	first, last, total = number(a), number(b), unknown
	if size != "*" {
		if total = number(size); total < 0 {
			return 0, 0, 0, false
		}
	}
	return first, last, total, first >= 0 && last >= first && (total == unknown || last < total)
}

// number reads a plain decimal number, and returns unknown for anything else.
func number(s string) int64 {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return unknown
	}
	return int64(n) //nolint:gosec // 63 bits
}
