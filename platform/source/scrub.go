package source

import (
	"encoding/json"
	"strings"
)

// Scrub is a text of others with every http, https or ftp URL in it redacted: an error
// of package net/http that quotes where a redirect leads, or a record that an earlier
// version of this program wrote.
func Scrub(text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	var out strings.Builder
	for {
		at := strings.Index(text, "://")
		if at < 0 {
			break
		}
		from := at
		for from > 0 && isLetter(text[from-1]) {
			from--
		}
		end := at + len("://")
		if i := strings.IndexFunc(text[end:], endsURL); i >= 0 {
			end += i
		} else {
			end = len(text)
		}
		// The marks that end a clause, or what the URL stands in, are not the URL's.
		for end > at+len("://") && strings.IndexByte(closing, text[end-1]) >= 0 {
			end--
		}
		out.WriteString(text[:from])
		out.WriteString(shownIn(text[from:end]))
		text = text[end:]
	}
	out.WriteString(text)
	return out.String()
}

// shownIn is what a text shows in a URL's place.
func shownIn(raw string) string {
	switch scheme, _, _ := strings.Cut(strings.ToLower(raw), ":"); scheme {
	case "http", "https", "ftp":
		return redacted(raw)
	}
	return raw // of this device, or no URL
}

func isLetter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }

// endsURL is what no URL has unescaped, as far as servers and people keep to that. A
// bracket or an apostrophe within one may be a part of a secret.
func endsURL(r rune) bool { return r <= ' ' || r == '"' || r == '<' }

// closing are the marks at the end of a URL that are not a part of it.
const closing = ".,:;'`>)}|"

// ScrubJSON is Scrub for each string in a JSON text. Everything else stays as it is, byte
// for byte, and so does a text that has nothing to hide or is not JSON.
func ScrubJSON(raw json.RawMessage) json.RawMessage {
	if !strings.Contains(string(raw), "://") {
		return raw
	}
	var out []byte
	done := 0
	for i := 0; i < len(raw); i++ {
		if raw[i] != '"' {
			continue
		}
		end := stringEnd(raw, i)
		var text string
		if json.Unmarshal(raw[i:end], &text) == nil {
			if clean := Scrub(text); clean != text {
				literal, _ := json.Marshal(clean) // a string cannot fail
				out = append(append(out, raw[done:i]...), literal...)
				done = end
			}
		}
		i = end - 1
	}
	if done == 0 {
		return raw
	}
	return append(out, raw[done:]...)
}

// stringEnd is the index behind the JSON string that begins at i.
func stringEnd(raw []byte, i int) int {
	for i++; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}
