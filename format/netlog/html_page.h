/* The page of `netlog html` without its recording: format/netlog/html/ as the build embeds it. */
#ifndef FORMAT_NETLOG_HTML_PAGE_H
#define FORMAT_NETLOG_HTML_PAGE_H

#include <stddef.h>

/* page.html, page.css and the scripts one after the other, made into arrays by the Makefile */
extern const unsigned char html_markup[], html_style[], html_script[];
extern const size_t html_markup_size, html_style_size, html_script_size;

/* Write to standard output what stands before the recording, and what stands behind it. The
 * recording is JSON without any '<', the text of a <script> element that is not run. */
void html_page_begin(void);
void html_page_end(void);

#endif
