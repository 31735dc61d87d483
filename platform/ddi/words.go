package ddi

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tope/updater/platform/printable"
	"github.com/tope/updater/platform/source"
)

const (
	// maxDetails is how many details an entry has. hawkBit refuses it with 51.
	maxDetails = 10
	// maxDetail bounds one, in bytes.
	maxDetail = 400
	// maxAttributes, and the bytes of a name and of a value, are hawkBit's.
	maxAttributes, maxAttribute = 100, 128
)

// details is what is told of them: ten lines of 400 bytes at most, without what hawkBit
// could take for HTML (it refuses the entry), nor the secrets of a URL.
func details(all []string) []string {
	var out []string
	for _, text := range all {
		if text = line(text, maxDetail); text != "" {
			out = append(out, text)
		}
	}
	if more := len(out) - maxDetails; more > 0 {
		out = append(out[:maxDetails-1], "and "+strconv.Itoa(more+1)+" more")
	}
	return out
}

// line is one line of text that any server can take.
func line(text string, most int) string {
	text = strings.NewReplacer("<", "‹", ">", "›", "&", "+").Replace(printable.Line(source.Scrub(text)))
	return short(strings.TrimSpace(text), most)
}

// plain are details of nothing but letters, digits and a few marks.
func plain(details []string) []string {
	var out []string
	for _, text := range details {
		out = append(out, strings.Map(func(r rune) rune {
			switch {
			case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(" .,:;_()-", r):
				return r
			}
			return ' '
		}, text))
	}
	return out
}

// short is a text of at most most bytes, with a mark where something was left out.
func short(text string, most int) string {
	if len(text) <= most {
		return text
	}
	end := most - len("…")
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// PutAttributes tells what this device is, by names. What was told before by another name
// stays. A value is shortened to 128 bytes. Errors are of type *Error.
func (c *Client) PutAttributes(ctx context.Context, attributes map[string]string) error {
	const doing = "tell the device's attributes"
	data := map[string]string{}
	for name, value := range attributes {
		if name == "" || len(name) > maxAttribute || name != line(name, maxAttribute) {
			return &Error{Kind: Refused, What: fmt.Sprintf("%s: %.40q cannot be an attribute's name", doing, name)}
		}
		data[name] = line(value, maxAttribute)
	}
	if len(data) > maxAttributes {
		return &Error{Kind: Refused, What: fmt.Sprintf("%s: there are %d, and %d are allowed", doing, len(data), maxAttributes)}
	}
	_, err := c.ask(ctx, question{doing: doing, method: http.MethodPut, rest: "configData", body: struct {
		Mode string            `json:"mode"`
		Data map[string]string `json:"data"`
	}{"merge", data}})
	return err
}
