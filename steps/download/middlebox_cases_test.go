package download

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
)

// span is the range that a request asks for; all of b without one.
func (k talk) span(b []byte) (from, to int) {
	to = len(b) - 1
	// "bytes=1-" leaves to as it is.
	_, _ = fmt.Sscanf(k.req.Header.Get("Range"), "bytes=%d-%d", &from, &to)
	return from, min(to, len(b)-1)
}

// part answers 206 with these headers, and data that nobody has asked for.
func part(header func(from, to, total int) string) func(talk, []byte) {
	return func(k talk, b []byte) {
		from, to := k.span(b)
		k.printf("HTTP/1.1 206 Partial\r\n%s\r\n\r\n", header(from, to, len(b)))
		_, _ = k.Write(bytes.Repeat([]byte("x"), to+1-from))
	}
}

// says answers with a head and a body, whatever was asked for.
func says(head, body string) func(talk, []byte) {
	return func(k talk, _ []byte) {
		k.printf("%s\r\nContent-Length: %d\r\n\r\n%s", strings.ReplaceAll(head, "\n", "\r\n"), len(body), body)
	}
}

// middleBoxes is the table of what may answer in a server's place.
func middleBoxes(t *testing.T) []middleBox {
	const login = "<!DOCTYPE html><html><body>Please log in"
	page := says("HTTP/1.1 200 OK\nContent-Type: text/html; charset=utf-8", login)
	portal := serve(t, func(k talk) { page(k, nil) })
	file := func(k talk, head string, b []byte) {
		k.printf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n", head, len(b))
		_, _ = k.Write(b)
	}
	return []middleBox{
		// somebody else's pages
		{name: "a login page", from: nobody, says: "login page", answer: page},
		{name: "a login page without a length", from: nobody, says: "login page", answer: func(k talk, _ []byte) {
			k.printf("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(login), login)
		}},
		{name: "a login page without a type", from: nobody, answer: func(k talk, _ []byte) {
			k.printf("HTTP/1.0 200 OK\r\n\r\n%s", login)
		}},
		{name: "a login page of the file's size", from: nobody, says: "login page", answer: func(k talk, b []byte) {
			file(k, "Content-Type: text/html\r\n", append([]byte(login), make([]byte, len(b)-len(login))...))
		}},
		{name: "a redirect to a login page", from: nobody, says: "login page", answer: says("HTTP/1.1 302 Found\nLocation: "+portal.url(), "")},
		{name: "a redirect that keeps the method, to a login page", from: nobody, says: "login page", answer: says("HTTP/1.1 307 Temporary Redirect\nLocation: "+portal.url(), "")},
		{name: "an answer in JSON", from: nobody, says: "application/json", answer: says("HTTP/1.1 200 OK\nContent-Type: application/json", `{"error":"quota"}`)},
		{name: "the network wants a login", waits: true, says: "511", answer: says("HTTP/1.1 511 Network Authentication Required\nContent-Type: text/html", login)},
		{name: "a part that is a page", from: nobody, says: "login page", answer: part(func(from, to, total int) string {
			return fmt.Sprintf("Content-Type: text/html\r\nContent-Range: bytes %d-%d/%d", from, to, total+1)
		})},

		// redirects that lead nowhere
		{name: "a redirect in a cycle", from: stranger, says: "redirected more than", answer: says("HTTP/1.1 302 Found\nLocation: /again", "")},
		{name: "a redirect to another scheme", from: stranger, says: "only http and https", answer: says("HTTP/1.1 302 Found\nLocation: ftp://example.org/r", "")},
		{name: "a redirect without a target", from: stranger, says: "without a usable Location", answer: says("HTTP/1.1 302 Found", "")},

		// another file
		{name: "a shorter file", from: theSource, answer: func(k talk, b []byte) { file(k, "Content-Type: application/zip\r\n", b[:1000]) }},
		{name: "a longer file", from: theSource, answer: func(k talk, b []byte) { file(k, "", append(bytes.Clone(b), "more"...)) }},
		{name: "an empty file", from: theSource, answer: says("HTTP/1.1 200 OK", "")},
		{name: "a part of a longer file", from: theSource, answer: part(func(from, to, total int) string {
			return fmt.Sprintf("Content-Range: bytes %d-%d/%d", from, to, total+1000)
		})},
		{name: "another file of the same size", from: theSource, answer: func(k talk, b []byte) { file(k, "ETag: \"other\"\r\n", bytes.Repeat([]byte("x"), len(b))) }},
		{name: "a part with another ETag", from: theSource, spoils: true, answer: part(func(from, to, total int) string {
			return fmt.Sprintf("ETag: \"other\"\r\nContent-Range: bytes %d-%d/%d", from, to, total)
		})},
		{name: "the file ends before", from: theSource, answer: says("HTTP/1.1 416 No\nContent-Range: bytes */1000", "")},

		// ranges
		{name: "the range taken off", from: theSource, answer: func(k talk, b []byte) { file(k, "ETag: "+tag+"\r\n", b) }},
		{name: "another range", from: nobody, says: "Content-Range", answer: part(func(_, _, total int) string {
			return fmt.Sprintf("ETag: %s\r\nContent-Range: bytes 7-%d/%d", tag, total-1, total)
		})},
		{name: "a range of another length", from: nobody, says: "Content-Range", answer: part(func(from, to, total int) string {
			return fmt.Sprintf("ETag: %s\r\nContent-Length: 10\r\nContent-Range: bytes %d-%d/%d", tag, from, to, total)
		})},
		{name: "no range named", from: nobody, says: "Content-Range", answer: part(func(int, int, int) string { return "ETag: " + tag })},
		{name: "several ranges", from: nobody, says: "Content-Range", answer: says("HTTP/1.1 206 Partial\nContent-Type: multipart/byteranges; boundary=x", "--x--")},

		// the line
		{name: "closed without an answer", waits: true, says: connectionLost, answer: func(talk, []byte) {}},
		{name: "closed within the header", waits: true, says: connectionLost, answer: func(k talk, _ []byte) { k.printf("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n") }},
		{name: "reset", waits: true, says: connectionLost, answer: func(k talk, _ []byte) { _ = k.Conn.(*net.TCPConn).SetLinger(0) }},
		{name: "a good part that is cut", waits: true, says: connectionLost, answer: func(k talk, b []byte) {
			from, _ := k.span(b)
			k.ranged(b, from+100)
		}},

		// refusals
		{name: "an expired link", from: theSource, says: "403 Forbidden; the link has expired", answer: says("HTTP/1.1 403 Forbidden\nContent-Type: application/xml", "<Error>AccessDenied")},
		{name: "a link that was good once", from: theSource, says: "410 Gone; the link has expired", answer: says("HTTP/1.1 410 Gone", "")},
		{name: "not found", from: theSource, says: "install with a fresh one", answer: says("HTTP/1.1 404 Not Found\nContent-Type: text/html", login)},
		{name: "not allowed", from: theSource, says: "401", answer: says("HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Basic", "")},
		{name: "a bad request", from: theSource, says: "400", answer: says("HTTP/1.1 400 Bad Request", "")},
		{name: "a proxy that wants a login", from: stranger, says: "407", answer: says("HTTP/1.1 407 Proxy Authentication Required\nProxy-Authenticate: Basic", "")},
		{name: "too many requests", waits: true, says: "429", answer: says("HTTP/1.1 429 Too Many Requests\nRetry-After: 2", "")},
		{name: "a server's error", waits: true, says: "500", answer: says("HTTP/1.1 500 Oh\nContent-Type: text/html", login)},
		{name: "a bad gateway", waits: true, says: "502", answer: says("HTTP/1.1 502 Bad Gateway\nContent-Type: text/html", login)},
		{name: "busy", waits: true, says: "503", answer: says("HTTP/1.1 503 Busy\nRetry-After: 3", "")},
		{name: "a gateway that has no answer", waits: true, says: "504", answer: says("HTTP/1.1 504 Gateway Timeout", "")},

		// bytes
		{name: "gzip", from: stranger, says: "gzip", answer: says("HTTP/1.1 200 OK\nContent-Encoding: gzip", "\x1f\x8b")},
		{name: "brotli within another coding", from: stranger, says: "br", answer: says("HTTP/1.1 200 OK\nContent-Encoding: aws-chunked, br", "x")},
		{name: "another protocol", from: nobody, answer: func(k talk, _ []byte) { k.printf("SSH-2.0-OpenSSH_9.6\r\n\r\n") }},
		{name: "a header without an end", from: nobody, answer: func(k talk, _ []byte) { k.printf("HTTP/1.1 200 OK\r\nX: %s", strings.Repeat("x", 1<<20)) }},
		{name: "two lengths", from: nobody, answer: func(k talk, _ []byte) {
			k.printf("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello")
		}},
		{name: "chunks that are none", from: nobody, answer: func(k talk, _ []byte) { k.printf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n") }},
		{name: "other bytes of the right range", waits: true, spoils: true, answer: part(func(from, to, total int) string {
			return fmt.Sprintf("ETag: %s\r\nContent-Range: bytes %d-%d/%d", tag, from, to, total)
		})},
		{name: "more bytes than the range", waits: true, answer: func(k talk, b []byte) {
			from, to := k.span(b)
			k.printf("HTTP/1.1 206 Partial\r\nETag: %s\r\nContent-Range: bytes %d-%d/%d\r\n\r\n", tag, from, to, len(b))
			_, _ = k.Write(b[from : to+1])
			_, _ = k.Write(make([]byte, 5000))
		}},
	}
}
