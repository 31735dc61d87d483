// Package sourcetest has URLs, and whether a bundle may come from them, for the
// tests of all that take URLs: the API, the engine and the Download step. One that
// answers differently from the table does not ask package source.
package sourcetest

import "strings"

// Secret is the password in the URLs that have one: no error, log or answer
// may show it.
const Secret = "s3cr3t"

// Case is one URL and the right answer to it.
type Case struct {
	Name, URL string
	// Path is the local file that is meant; Web says that a web server is asked.
	// A case with neither is refused.
	Path string
	Web  bool
}

// Refused says that no bundle can come from there.
func (c Case) Refused() bool { return c.Path == "" && !c.Web }

// Cases returns all of them.
func Cases() []Case {
	return []Case{
		{Name: "http", URL: "http://releases.example/r.tope", Web: true},
		{Name: "https", URL: "https://releases.example/r.tope", Web: true},
		{Name: "a port", URL: "https://releases.example:8443/r.tope", Web: true},
		{Name: "upper-case scheme", URL: "HTTP://releases.example/r.tope", Web: true},
		{Name: "query and fragment", URL: "https://releases.example/r.tope?channel=beta&x=1#top", Web: true},
		{Name: "a space in the path", URL: "http://releases.example/my release.tope", Web: true},
		{Name: "user and password", URL: "https://me:" + Secret + "@releases.example/r.tope", Web: true},
		{Name: "IPv4", URL: "http://192.0.2.1/r.tope", Web: true},
		{Name: "IPv6", URL: "http://[2001:db8::1]:8080/r.tope", Web: true},
		{Name: "no path", URL: "http://releases.example", Web: true},

		{Name: "no host", URL: "http:///r.tope"},
		{Name: "no host, but a port", URL: "http://:8080/r.tope"},
		{Name: "no host, but a password", URL: "http://me:" + Secret + "@/r.tope"},
		{Name: "a port beyond 65535", URL: "http://releases.example:70000/r.tope"},
		{Name: "port 0", URL: "http://releases.example:0/r.tope"},
		{Name: "IPv6 without its end", URL: "http://[::1/r.tope"},
		{Name: "a space in the host", URL: "http://releases example/r.tope"},
		{Name: "a space in the password", URL: "http://me:" + Secret + " x@releases.example/r.tope"},
		{Name: "a hash in the password", URL: "http://me:" + Secret + "#@releases.example/r.tope"},
		{Name: "control characters", URL: "http://releases.example/r\n.tope"},
		{Name: "a zero byte", URL: "http://releases.example/r\x00.tope"},
		{Name: "a broken escape", URL: "http://releases.example/%zz"},
		{Name: "opaque", URL: "http:releases.example/r.tope"},
		{Name: "one slash", URL: "https:/releases.example/r.tope"},
		{Name: "a server without its scheme", URL: "releases.example/r.tope"},
		{Name: "a password without its scheme", URL: "me:" + Secret + "@releases.example/r.tope"},
		{Name: "a password after one slash", URL: "http:/me:" + Secret + "@releases.example/r.tope"},
		{Name: "a password after three slashes", URL: "https:///me:" + Secret + "@releases.example/r.tope"},
		{Name: "ftp", URL: "ftp://me:" + Secret + "@releases.example/r.tope"},
		{Name: "data", URL: "data:text/plain,hello"},
		{Name: "nothing", URL: ""},
		{Name: "too long", URL: "http://releases.example/" + strings.Repeat("x", 9000)},

		{Name: "absolute path", URL: "/media/usb/r.tope", Path: "/media/usb/r.tope"},
		{Name: "absolute path, not clean", URL: "/media/./usb//x/../r.tope", Path: "/media/usb/r.tope"},
		{Name: "absolute path that looks like a URL's", URL: "/media/a b%20c?d#e.tope", Path: "/media/a b%20c?d#e.tope"},
		{Name: "file", URL: "file:///media/usb/r.tope", Path: "/media/usb/r.tope"},
		{Name: "file, upper-case scheme", URL: "FILE:///media/usb/r.tope", Path: "/media/usb/r.tope"},
		{Name: "file without an authority", URL: "file:/media/usb/r.tope", Path: "/media/usb/r.tope"},
		{Name: "file with escapes", URL: "file:///media/a%20b%3Fc.tope", Path: "/media/a b?c.tope"},
		{Name: "file of localhost", URL: "file://localhost/media/usb/r.tope", Path: "/media/usb/r.tope"},
		{Name: "file of LOCALHOST", URL: "file://LOCALHOST/media/usb/r.tope", Path: "/media/usb/r.tope"},

		{Name: "file of another host", URL: "file://other/media/usb/r.tope"},
		{Name: "file of a port", URL: "file://localhost:80/media/usb/r.tope"},
		{Name: "file of a user", URL: "file://me:" + Secret + "@localhost/media/usb/r.tope"},
		{Name: "file with a query", URL: "file:///media/usb/r.tope?x=1"},
		{Name: "file with an empty query", URL: "file:///media/usb/r.tope?"},
		{Name: "file with a fragment", URL: "file:///media/usb/r#1.tope"},
		{Name: "file with a zero byte", URL: "file:///media/usb/r%00.tope"},
		{Name: "file with a line feed", URL: "file:///media/usb/r%0A.tope"},
		{Name: "file, relative", URL: "file:r.tope"},
		{Name: "file of nothing", URL: "file://"},
		{Name: "relative path", URL: "r.tope"},
		{Name: "relative path with a dot", URL: "./r.tope"},
		{Name: "absolute path with a zero byte", URL: "/media/r\x00.tope"},
		{Name: "absolute path with a line feed", URL: "/media/r\n.tope"},
	}
}
