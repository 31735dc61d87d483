package fetch

import "net/http"

// Hint says what in the configuration may help after an answer of a Transport that
// refuses the request (4xx); "" when nothing of it does, and for other answers. The
// body of the answer is not looked at.
func Hint(resp *http.Response) string {
	x := exchangeOf(resp)
	if x == nil || resp.StatusCode < 400 || resp.StatusCode > 499 {
		return ""
	}
	x.mu.Lock()
	asked, gave := x.asked, x.gave
	x.mu.Unlock()
	switch code := resp.StatusCode; {
	case code == http.StatusProxyAuthRequired:
		return "something between this device and the server is a proxy that asks for a password: set proxy and proxy_auth under [download]"
	case code != http.StatusBadRequest && code != http.StatusUnauthorized && code != http.StatusForbidden:
		return ""
	case asked && !gave:
		// Some servers take connections without a certificate, and then refuse each request.
		return "the server wants a certificate of this device: " + x.certHint(false)
	case code == http.StatusBadRequest:
		return ""
	case x.server != nil && len(x.server.Headers)+len(x.server.HeaderFiles) > 0:
		return "it got the headers of [[download.server]] for " + Origin(x.url) + ": are they right, and is the URL?"
	}
	return "the device is not allowed to have it: check the URL's credentials or its expiry, or set header_files in a [[download.server]] with url = \"" + Origin(x.url) + "\""
}
