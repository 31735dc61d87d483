package download

import (
	"bytes"
	"cmp"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tope/updater/platform/fetch"
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
	// credential names whose credentials went with the request; empty for nobody's.
	credential string
	// kind is the media type of the answer that began the file; empty when unknown.
	kind string
	// begun says that something of the file is here already.
	begun bool
	now   time.Time
	cap   time.Duration // of Retry-After
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
		if encoding := encodedAs(resp.Header); encoding != "" {
			return nil, intruder(encoded, unavailable("have the server, or the proxy before it, send the file as it is",
				"the file came encoded (Content-Encoding: %.40s), though the request asks for it as it is", encoding))
		}
		if code == http.StatusOK {
			return judgeWhole(o, resp.ContentLength, w)
		}
		return judgeRange(o, resp, w)
	case code == http.StatusRequestedRangeNotSatisfiable && w.offset > 0:
		return judgeNoRange(o, resp.Header.Get("Content-Range"), w)
	case code == http.StatusNetworkAuthenticationRequired:
		return nil, &outage{what: loginWanted, err: fmt.Errorf("the network wants a login first (%s)", status(code))}
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == http.StatusTooEarly, code >= 500 && code <= 599:
		return nil, &outage{
			what: serverBusy, err: fmt.Errorf("the server answered %s", status(code)),
			after: fetch.RetryAfter(resp.Header, w.now, w.cap),
		}
	case code == http.StatusProxyAuthRequired:
		return nil, intruder(proxyRefuses, unavailable(cmp.Or(fetch.Hint(resp), "check the proxy's credentials"), "the proxy answered %s", status(code)))
	case code >= 300 && code <= 399:
		return nil, intruder(badRedirect, unavailable("correct the URL", "the server answered %s without a usable Location", status(code)))
	default:
		hint := hintFor(code, w.begun)
		if !w.begun {
			hint = cmp.Or(fetch.Hint(resp), hint)
		}
		if w.credential != "" && (code == http.StatusUnauthorized || code == http.StatusForbidden) {
			hint = "the server does not give it to this device: check the token or certificate of " + w.credential
		}
		err := unavailable(hint, "the server answered %s", status(code))
		err.Outline = fmt.Sprintf("%s (%dxx); %s", refusal, code/100, outlineHint(w.begun))
		return nil, told(refusal, err)
	}
}

// encodedAs returns the encoding that has changed the bytes of a body; empty for none.
// aws-chunked is the way in which a file was uploaded to an object store: its bytes are
// the file's own.
func encodedAs(h http.Header) string {
	for _, value := range h.Values("Content-Encoding") {
		for coding := range strings.SplitSeq(value, ",") {
			switch strings.ToLower(strings.TrimSpace(coding)) {
			case "", "identity", "aws-chunked":
			default:
				return value
			}
		}
	}
	return ""
}

// judgeWhole: 200, the file from its beginning.
func judgeWhole(o *offer, length int64, w want) (*offer, error) {
	o.end, o.total, o.whole = length, length, true
	if err := o.fits(w); err != nil {
		return nil, err
	}
	if w.offset > 0 {
		o.event = rangeIgnored
	}
	return o, nil
}

// judgeRange: 206, a part of it.
func judgeRange(o *offer, resp *http.Response, w want) (*offer, error) {
	header := resp.Header.Get("Content-Range")
	if w.offset == 0 && w.end <= 0 {
		return nil, unusable(malformedAnswer, "the server answered 206 (Content-Range: %.80q) to a request for the whole file", header)
	}
	first, last, total, ok := parseContentRange(header)
	if !ok || first != w.offset || w.end > 0 && last >= w.end || resp.ContentLength >= 0 && resp.ContentLength != last-first+1 {
		return nil, unusable(wrongRange, "the server answered 206 with Content-Range %.80q to a request from byte %d on", header, w.offset)
	}
	o.offset, o.end, o.total = first, last+1, total
	if err := o.fits(w); err != nil {
		return nil, err
	}
	if total < 0 {
		o.total = w.total
	}
	return o, nil
}

// judgeNoRange: 416, the file has no bytes from our offset on. When the file ends
// exactly at our offset, it is complete; its size was not known until now. A file of
// another size than the declared one is the same answer as with 200.
func judgeNoRange(o *offer, header string, w want) (*offer, error) {
	total := int64(unknown)
	if size, ok := strings.CutPrefix(header, "bytes */"); ok {
		total = number(size)
	}
	switch {
	case total >= 0 && w.declared >= 0 && total != w.declared:
		o.total, o.contentType = total, "" // the type is that of the error page
		return nil, checkTotal(o, w)
	case total == w.offset && !w.mark.differs(o.mark):
		o.offset, o.end, o.total = total, total, total
		return o, o.fits(w)
	}
	return nil, elsewhere(fileIsShorter, "the server answered 416 (Content-Range: %.80q) to a request from byte %d on", header, w.offset)
}

// fits compares what the answer says of the file with what is known of it, before a byte
// of the answer is read.
func (o *offer) fits(w want) error {
	if isPage(o.contentType) && w.kind != o.contentType && o.sizeDiffers(w) {
		return aPage(o.contentType)
	}
	if err := checkTotal(o, w); err != nil {
		return err
	}
	switch {
	case o.total >= 0 && w.total >= 0 && o.total != w.total:
		return elsewhere(fileChanged, "the file had %d bytes before and has %d now", w.total, o.total)
	case w.mark.differs(o.mark):
		return elsewhere(fileChanged, "there is another file than before: its ETag is %.80q, its date %.40q", o.mark.ETag, o.mark.Modified)
	case w.begun && w.kind != "" && isPage(o.contentType) && !isPage(w.kind):
		return aPage(o.contentType)
	}
	return nil
}

// sizeDiffers reports whether the answer is of another size than the file, or of none.
func (o *offer) sizeDiffers(w want) bool {
	switch {
	case w.declared >= 0:
		return o.total != w.declared
	case w.total >= 0:
		return o.total != w.total
	}
	return false
}

// elsewhere is the answer of a source that has another file than before.
func elsewhere(what, format string, args ...any) *strange {
	s := told(what, unavailable("the release was replaced: install the new one", format, args...))
	// Its words may change with each answer, as an ETag does.
	s.another, s.says = true, what
	return s
}

// aPage is a page where the bundle should be.
func aPage(contentType string) *strange {
	return unusable(webPage, "a page came in the bundle's place (%s): probably an error or login page", cmp.Or(contentType, "no type"))
}

// checkTotal compares the file's size with the declared one, before a byte of the file
// is read.
func checkTotal(o *offer, w want) error {
	file := cmp.Or(w.file, serversFile)
	switch {
	case o.total == unknown:
		return nil
	case w.declared >= 0 && o.total != w.declared:
		return told(wrongSize, refused(steps.SizeMismatch, sizeHint(o.contentType, file), "%s has %d bytes, %d were declared", file, o.total, w.declared))
	case o.total == 0:
		return told(wrongSize, refused(steps.SizeMismatch, sizeHint(o.contentType, file), "%s is empty", file))
	case o.total > w.max:
		return told(wrongSize, refused(steps.SizeMismatch, "", "%s has %d bytes, more than the %d this device takes", file, o.total, w.max))
	}
	return nil
}

// sizeHint is what to do about a file of another size; file is the word for it.
func sizeHint(contentType, file string) string {
	if file == localFile {
		return copyAgain
	}
	if isPage(contentType) || contentType == "text/plain" {
		return "its type is " + contentType + ": probably an error or login page instead of a bundle"
	}
	return "check the URL, and what was published there"
}

// isPage reports whether a content type is that of a page, for people or programs.
func isPage(contentType string) bool {
	switch contentType {
	case "text/html", "application/xhtml+xml", "application/json", "text/xml", "application/xml":
		return true
	}
	return false
}

// looksLikePage reports whether a file that begins so is a page: no bundle begins with a
// mark-up tag, or is an object of JSON.
func looksLikePage(begin []byte, contentType string) bool {
	begin = bytes.TrimLeft(bytes.TrimPrefix(begin, []byte("\xef\xbb\xbf")), " \t\r\n")
	return bytes.HasPrefix(begin, []byte("<")) || bytes.HasPrefix(begin, []byte("{")) && contentType == "application/json"
}

// hintFor is what to do about a refusal. A link that has given a part of the file was
// right: it has expired, or was good for one request only.
func hintFor(code int, begun bool) string {
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		switch {
		case begun:
			return linkExpired
		case code == http.StatusNotFound, code == http.StatusGone:
			return "check the URL, and that the release is still published"
		}
		return "the device is not allowed to have it: check the URL's credentials or its expiry"
	}
	return "check the URL"
}

// outlineHint is what to do about a refusal of which only the class is told.
func outlineHint(begun bool) string {
	if begun {
		return linkExpired
	}
	return "check the URL and its credentials, and that the release is still published"
}

// linkExpired is the hint about a link that was good before.
const linkExpired = "the link has expired, or was good for one request: install with a fresh one, and what was fetched is kept"

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
