package download

import (
	"bytes"
	"fmt"
	"net"
	"strings"

	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// hostileCases is the table of servers that send the bundle b, or do not.
func hostileCases(b []byte) []hostile {
	other := bundleOf(300_000, 2)
	half := len(b) / 2
	whole := func(k talk) { k.file(b, tag, -1) }
	cut := func(k talk) { k.file(b, tag, half) }

	return []hostile{
		// servers that behave
		{name: "a good server", handle: whole, requests: 1},
		{name: "no length, chunked", handle: func(k talk) { k.chunks("", true, b[:half], b[half:]) }, requests: 1},
		{name: "no length, closed at the end", handle: func(k talk) { k.printf("HTTP/1.0 200 OK\r\n\r\n"); k.body(b) }, requests: 1},
		{
			name: "nothing declared, nothing told", edit: undeclared, requests: 1,
			handle: func(k talk) { k.printf("HTTP/1.0 200 OK\r\n\r\n"); k.body(b) },
		},
		{name: "an encoding that leaves the bytes alone", requests: 1, handle: func(k talk) {
			k.printf("HTTP/1.1 200 OK\r\nContent-Encoding: aws-chunked\r\nContent-Encoding: , identity\r\nContent-Length: %d\r\n\r\n", len(b))
			k.body(b)
		}},
		{name: "a redirect", requests: 2, handle: first(answer("HTTP/1.1 302 Found\nLocation: /elsewhere.zip"), whole)},

		// cuts
		{name: "closed without an answer", requests: 2, events: []string{connectionLost}, handle: first(func(talk) {}, whole)},
		{
			name: "closed in the middle of the header", requests: 2, events: []string{connectionLost},
			handle: first(func(k talk) { k.printf("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n") }, whole),
		},
		{
			name: "closed in the middle of a header line", requests: 2, events: []string{malformedAnswer},
			handle: first(func(k talk) { k.printf("HTTP/1.1 200 OK\r\nConte") }, whole),
		},
		{name: "cut in the middle", requests: 2, events: []string{connectionLost}, handle: first(cut, whole)},
		{name: "reset in the middle", requests: 2, events: []string{connectionLost}, handle: first(func(k talk) {
			cut(k)
			_ = k.Conn.(*net.TCPConn).SetLinger(0)
		}, whole)},
		{name: "cut again and again", requests: 6, events: []string{connectionLost}, handle: func(k talk) { k.file(b, tag, 50_000) }},
		{
			name: "chunks cut in the middle", requests: 2, events: []string{connectionLost},
			handle: first(func(k talk) { k.chunks("ETag: "+tag+"\r\n", false, b[:half]) }, whole),
		},
		{
			name: "no length and cut, then whole", requests: 2, events: []string{connectionLost},
			handle: first(func(k talk) { k.printf("HTTP/1.0 200 OK\r\nETag: %s\r\n\r\n", tag); k.body(b[:half]) }, whole),
		},
		{
			name: "no length and too little, again and again", class: steps.Refused, code: steps.SizeMismatch, text: "150000 bytes, 300000 were declared",
			handle: func(k talk) { k.printf("HTTP/1.0 200 OK\r\n\r\n"); k.body(b[:half]) }, events: []string{connectionLost, rangeIgnored, cutShort},
		},

		// resuming goes wrong
		{name: "ignores the range", requests: 5, events: []string{connectionLost, rangeIgnored}, handle: first(cut, func(k talk) {
			k.req.Header.Del("Range")
			whole(k)
		})},
		{
			name: "changed file", requests: 13, events: []string{connectionLost, fileChanged, mixedContent},
			handle: first(func(k talk) { k.file(other, `"v0"`, half) }, whole),
		},
		{
			name: "changed file, If-Range ignored", requests: 13, events: []string{connectionLost, fileChanged, mixedContent},
			handle: first(func(k talk) { k.file(other, `"v0"`, half) }, func(k talk) { k.req.Header.Del("If-Range"); whole(k) }),
		},
		{name: "changed file of another size", requests: 13, events: []string{connectionLost, fileChanged, mixedContent}, edit: func(s *steps.Source) { s.Size = 0 }, handle: func(k talk) {
			switch k.n {
			case 0:
				k.file(other[:250_000], "", half)
			default:
				k.file(b, "", -1)
			}
		}},
		{name: "another range than asked for", requests: 3, events: []string{connectionLost, wrongRange}, handle: func(k talk) {
			switch k.n {
			case 0:
				cut(k)
			case 1:
				k.printf("HTTP/1.1 206 P\r\nETag: %s\r\nContent-Range: bytes 0-%d/%d\r\n\r\n", tag, len(b)-1, len(b))
				k.body(b)
			default:
				whole(k)
			}
		}},
		{name: "a range that contradicts its length", requests: 3, events: []string{connectionLost, wrongRange}, handle: func(k talk) {
			switch k.n {
			case 0:
				cut(k)
			case 1:
				k.printf("HTTP/1.1 206 P\r\nETag: %s\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: 10\r\n\r\n0123456789", tag, half, len(b)-1, len(b))
			default:
				whole(k)
			}
		}},
		{name: "206 without Content-Range", requests: 3, events: []string{connectionLost, wrongRange}, handle: func(k talk) {
			switch k.n {
			case 0:
				cut(k)
			case 1:
				k.printf("HTTP/1.1 206 P\r\nContent-Length: %d\r\n\r\n", len(b)-half)
				k.body(b[half:])
			default:
				whole(k)
			}
		}},
		{name: "206 in several parts", requests: 3, events: []string{connectionLost, wrongRange}, handle: func(k talk) {
			switch k.n {
			case 0:
				cut(k)
			case 1:
				answer("HTTP/1.1 206 P\nContent-Type: multipart/byteranges; boundary=x")(k)
			default:
				whole(k)
			}
		}},
		{
			name: "206 to a request for all", requests: 10, events: []string{malformedAnswer}, class: steps.Unavailable, code: steps.DownloadFailed,
			text: "gave up after 10 unusable answers", handle: answer("HTTP/1.1 206 P\nContent-Range: bytes 0-9/10\nContent-Length: 0"),
		},
		{name: "less than the range asked for", requests: 5, events: []string{connectionLost}, handle: func(k talk) {
			from := k.asked()
			if from == 0 {
				k.file(b, tag, 100_000)
				return
			}
			to := min(from+50_000, len(b))
			k.printf("HTTP/1.1 206 P\r\nETag: %s\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n", tag, from, to-1, len(b), to-from)
			k.body(b[from:to])
		}},
		{name: "more than the range announced", requests: 2, events: []string{connectionLost, malformedAnswer}, handle: func(k talk) {
			switch k.n {
			case 0:
				cut(k)
			case 1:
				k.printf("HTTP/1.1 206 P\r\nETag: %s\r\nContent-Range: bytes %d-%d/%d\r\n\r\n", tag, half, len(b)-1, len(b))
				k.body(bytes.Repeat(b[half:], 3))
			default:
				whole(k)
			}
		}},
		{name: "416 to what should be there", requests: 3, events: []string{connectionLost, wrongSize}, handle: func(k talk) {
			switch k.n {
			case 0:
				cut(k)
			case 1:
				answer("HTTP/1.1 416 No\nContent-Range: bytes */1000\nContent-Length: 0")(k)
			default:
				whole(k)
			}
		}},
		{
			name: "416 for a shorter file, again and again", requests: 11, events: []string{connectionLost, wrongSize}, class: steps.Refused, code: steps.SizeMismatch,
			text: "1000 bytes, 300000 were declared", handle: first(cut, answer("HTTP/1.1 416 No\nContent-Range: bytes */1000\nContent-Length: 0")),
		},
		{name: "416 tells that all was there", requests: 2, edit: undeclared, events: []string{wentQuiet}, handle: first(func(k talk) {
			k.chunks("ETag: "+tag+"\r\n", false, b)
			k.received(len(b))
			k.hang()
		}, whole)},
		{
			name: "nothing to resume by, nothing declared", requests: 2, edit: undeclared, events: []string{connectionLost, cannotResume},
			handle: first(func(k talk) { k.file(b, "", half) }, func(k talk) { k.file(b, "", -1) }),
		},
		{
			name: "only a weak tag, nothing declared", requests: 2, edit: undeclared, events: []string{connectionLost, cannotResume},
			handle: first(func(k talk) { k.file(b, `W/"1"`, half) }, func(k talk) { k.file(b, `W/"1"`, -1) }),
		},
		{
			name: "another tag with each answer", requests: 12, events: []string{connectionLost, fileChanged},
			handle: first(cut, func(k talk) { k.file(b, fmt.Sprintf(`"v%d"`, k.n+1), -1) }),
		},
		{
			name: "two files under one name", requests: 3, events: []string{connectionLost, mixedContent},
			handle: first(func(k talk) { k.file(other, "", half) }, func(k talk) { k.file(b, "", -1) }),
		},

		// sizes and content
		{
			name: "more than declared", requests: 1, class: steps.Refused, code: steps.SizeMismatch, text: "600000 bytes, 300000 were declared",
			handle: func(k talk) { k.file(append(b[:len(b):len(b)], other...), tag, -1) },
		},
		{
			name: "less than declared", requests: 1, class: steps.Refused, code: steps.SizeMismatch, text: "150000 bytes, 300000 were declared",
			handle: func(k talk) { k.file(b[:half], tag, -1) },
		},
		{
			name: "more in chunks than declared, which are right", requests: 1, events: []string{surplus},
			handle: func(k talk) { k.chunks("", true, b, []byte("x")) },
		},
		{
			name: "less in chunks than declared", events: []string{cutShort, rangeIgnored}, class: steps.Refused, code: steps.SizeMismatch, text: "150000 bytes, 300000 were declared",
			handle: func(k talk) { k.chunks("", true, b[:half]) },
		},
		{
			name: "endless chunks", requests: 1, events: []string{surplus}, class: steps.Refused, code: steps.SizeMismatch, text: "more than the 300000 bytes declared",
			handle: func(k talk) { k.chunks("", false, bytesForever(other, 40)...) },
		},
		{
			name: "endless chunks, nothing declared", requests: 1, edit: undeclared, config: capAt(1 << 20), class: steps.Refused, code: steps.SizeMismatch,
			text: "more than the 1048576 bytes this device takes", handle: func(k talk) { k.chunks("", false, bytesForever(other, 40)...) },
		},
		{
			name: "too long, nothing declared", requests: 1, edit: undeclared, config: capAt(1000), class: steps.Refused, code: steps.SizeMismatch,
			text: "more than the 1000 this device takes", handle: whole,
		},
		{
			name: "an absurd length", requests: 1, edit: undeclared, class: steps.Refused, code: steps.SizeMismatch, text: "9223372036854775807 bytes",
			handle: answer("HTTP/1.1 200 OK\nContent-Length: 9223372036854775807"),
		},
		{
			name: "an empty file", requests: 1, edit: undeclared, class: steps.Refused, code: steps.SizeMismatch, text: "is empty",
			handle: answer("HTTP/1.1 200 OK\nContent-Length: 0"),
		},
		{
			name: "an empty file in chunks", requests: 1, edit: undeclared, class: steps.Refused, code: steps.SizeMismatch, text: "is empty",
			handle: func(k talk) { k.chunks("", true) },
		},
		{
			name: "an error page", requests: 10, events: []string{webPage}, class: steps.Unavailable, code: steps.DownloadFailed, text: "(text/html): probably an error or login page",
			handle: answer("HTTP/1.1 200 OK\nContent-Type: text/html; charset=utf-8\nContent-Length: 11\n\nHello there"),
		},
		{
			name: "an error page of the declared size", requests: 1, class: steps.Refused, code: steps.MD5Mismatch, text: "text/html: probably an error or login page",
			handle: func(k talk) {
				k.printf("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n", len(other))
				k.body(other)
			},
		},
		{
			name: "another file of the declared size", requests: 1, class: steps.Refused, code: steps.MD5Mismatch, text: "the MD5 is " + sum(other),
			handle: func(k talk) { k.file(other, tag, -1) },
		},
		{
			name: "compressed though asked not to", requests: 1, class: steps.Unavailable, code: steps.DownloadFailed, text: "Content-Encoding: gzip",
			handle: answer("HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: 300000"),
		},

		// refusals
		{name: "404", requests: 1, class: steps.Unavailable, code: steps.DownloadFailed, text: "404 Not Found; check the URL", handle: answer("HTTP/1.1 404 Nope\nContent-Length: 0")},
		{name: "410", requests: 1, class: steps.Unavailable, code: steps.DownloadFailed, text: "410 Gone", handle: answer("HTTP/1.1 410 Gone\nContent-Length: 0")},
		{name: "401", requests: 1, class: steps.Unavailable, code: steps.DownloadFailed, text: "not allowed", handle: answer("HTTP/1.1 401 No\nContent-Length: 0")},
		{name: "403", requests: 1, class: steps.Unavailable, code: steps.DownloadFailed, text: "not allowed", handle: answer("HTTP/1.1 403 No\nContent-Length: 0")},
		{
			name: "404 after a cut", requests: 11, class: steps.Unavailable, code: steps.DownloadFailed, text: "404 Not Found; the link has expired", events: []string{connectionLost, refusal},
			handle: first(cut, answer("HTTP/1.1 404 Nope\nContent-Length: 0")),
		},
		{name: "204", requests: 1, class: steps.Unavailable, code: steps.DownloadFailed, text: "204 No Content", handle: answer("HTTP/1.1 204 Nothing")},
		{name: "a status nobody knows", requests: 1, class: steps.Unavailable, code: steps.DownloadFailed, text: "answered 799", handle: answer("HTTP/1.1 799 Eh\nContent-Length: 0")},

		// redirects
		{
			name: "redirect to a file", requests: 1, class: steps.Unavailable, code: steps.DownloadFailed, text: "only http and https",
			handle: answer("HTTP/1.1 302 Found\nLocation: file:///etc/shadow"),
		},
		{
			name: "redirect to ftp", requests: 1, class: steps.Unavailable, code: steps.DownloadFailed, text: "only http and https",
			handle: answer("HTTP/1.1 301 Moved\nLocation: ftp://example.org/x"),
		},
		{
			name: "redirects in a cycle", requests: 11, class: steps.Unavailable, code: steps.DownloadFailed, text: "redirected more than 10 times",
			handle: answer("HTTP/1.1 302 Found\nLocation: /r.zip"),
		},
		{
			name: "redirect to nowhere", requests: 1, class: steps.Unavailable, code: steps.DownloadFailed, text: "without a usable Location",
			handle: answer("HTTP/1.1 302 Found"),
		},
		{name: "304", requests: 1, class: steps.Unavailable, code: steps.DownloadFailed, text: "304", handle: answer("HTTP/1.1 304 Not Modified")},
		{name: "300", requests: 1, class: steps.Unavailable, code: steps.DownloadFailed, text: "300", handle: answer("HTTP/1.1 300 Multiple\nContent-Length: 0")},

		// answers that ask for a later try
		{name: "500, then well", requests: 2, events: []string{serverBusy}, handle: first(answer("HTTP/1.1 500 Oh\nContent-Length: 0"), whole)},
		{name: "503 for a while", requests: 40, events: []string{serverBusy}, handle: func(k talk) {
			if k.n < 39 {
				answer("HTTP/1.1 503 Busy\nContent-Length: 0")(k)
				return
			}
			whole(k)
		}},
		{name: "429, then well", requests: 2, events: []string{serverBusy}, handle: first(answer("HTTP/1.1 429 Slow\nRetry-After: 7\nContent-Length: 0"), whole)},
		{name: "503 after a cut", requests: 3, events: []string{connectionLost, serverBusy}, handle: func(k talk) {
			switch k.n {
			case 0:
				cut(k)
			case 1:
				answer("HTTP/1.1 503 Busy\nContent-Length: 0")(k)
			default:
				whole(k)
			}
		}},

		// not HTTP, or nearly
		{
			name: "another protocol", requests: 10, events: []string{malformedAnswer}, class: steps.Unavailable, code: steps.DownloadFailed,
			text: "gave up after 10 unusable answers", handle: answer("SSH-2.0-OpenSSH_9.6"),
		},
		{name: "garbage, once", requests: 2, events: []string{malformedAnswer}, handle: first(func(k talk) { k.body(other[:5000]) }, whole)},
		{
			name: "a header of a megabyte", requests: 2, events: []string{malformedAnswer},
			handle: first(answer("HTTP/1.1 200 OK\nX-Big: "+strings.Repeat("x", 1<<20)), whole),
		},
		{name: "endless header lines", requests: 2, events: []string{malformedAnswer}, handle: first(func(k talk) {
			k.printf("HTTP/1.1 200 OK\r\n")
			for i := range 100_000 {
				if _, err := fmt.Fprintf(k, "X-%d: y\r\n", i); err != nil {
					return
				}
			}
		}, whole)},
		{
			name: "two lengths", requests: 2, events: []string{malformedAnswer},
			handle: first(answer("HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 6"), whole),
		},
		{name: "a negative length", requests: 2, events: []string{malformedAnswer}, handle: first(answer("HTTP/1.1 200 OK\nContent-Length: -5"), whole)},
		{
			name: "chunks that are none", requests: 2, events: []string{malformedAnswer},
			handle: first(answer("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nZZZ\nhello"), whole),
		},
		{name: "endless informational answers", requests: 2, events: []string{malformedAnswer}, handle: first(func(k talk) {
			for {
				if _, err := fmt.Fprint(k, "HTTP/1.1 103 Early Hints\r\n\r\n"); err != nil {
					return
				}
			}
		}, whole)},
		{
			name: "https spoken by a plain server", requests: 0, class: steps.Unavailable, code: steps.DownloadFailed, text: "gave up after 10 unusable answers",
			edit: func(s *steps.Source) { s.URL = source.New(strings.Replace(s.URL.Unredacted(), "http:", "https:", 1)) }, handle: whole, events: []string{malformedAnswer},
		},

		// silence
		{name: "never answers", requests: 2, events: []string{noAnswer}, handle: first(talk.hang, whole)},
		{
			name: "quiet in the middle of the header", requests: 2, events: []string{noAnswer},
			handle: first(func(k talk) { k.printf("HTTP/1.1 200 O"); k.hang() }, whole),
		},
		{name: "redirected to silence", requests: 3, events: []string{noAnswer}, handle: func(k talk) {
			switch k.n {
			case 0:
				answer("HTTP/1.1 302 Found\nLocation: /slow.zip")(k)
			case 1:
				k.hang()
			default:
				whole(k)
			}
		}},
		{name: "quiet in the middle of the body", requests: 2, events: []string{wentQuiet}, handle: first(func(k talk) { cut(k); k.received(half); k.hang() }, whole)},
	}
}

func undeclared(s *steps.Source) { s.Size, s.MD5 = 0, "" }

func capAt(n int64) func(*Config) { return func(c *Config) { c.MaxSize = n } }

func bytesForever(b []byte, n int) [][]byte {
	var out [][]byte
	for range n {
		out = append(out, b)
	}
	return out
}
