<?php
/**
 * Plugin Name: Ringtrail
 * Description: Shows each visitor a telephone number of their own, so that a call tells which visit it came from.
 * Version: 1.0
 * Requires PHP: 7.4
 * License: MIT
 */

if (!defined('ABSPATH')) {
    exit;
}

const RINGTRAIL_OPTION = 'ringtrail_snippet';
const RINGTRAIL_FIELDS = ['src', 'integrity', 'data-site', 'data-number', 'data-national'];

/** Returns the attributes of a snippet that belong to Ringtrail; none where it is no snippet of ours. */
function ringtrail_parse($text)
{
    $found = [];
    foreach (RINGTRAIL_FIELDS as $name) {
        if (preg_match('/\s' . preg_quote($name, '/') . '="([^"<>]*)"/', (string) $text, $match)) {
            $found[$name] = html_entity_decode($match[1], ENT_QUOTES, 'UTF-8');
        }
    }
    $right = count($found) === count(RINGTRAIL_FIELDS)
        && preg_match('#^https?://[^\s"]+/c/\d+/swap\.js$#', $found['src'])
        && preg_match('#^sha384-[A-Za-z0-9+/]{64}$#', $found['integrity'])
        && preg_match('/^[0-9a-f]{12}$/', $found['data-site']);
    return $right ? $found : [];
}

/** Keeps a snippet of ours only. */
function ringtrail_clean($text)
{
    $text = is_string($text) ? trim(wp_unslash($text)) : '';
    if ($text !== '' && !ringtrail_parse($text)) {
        add_settings_error(RINGTRAIL_OPTION, 'snippet', 'Paste the whole snippet from the page of the website in Ringtrail.');
        return get_option(RINGTRAIL_OPTION, '');
    }
    return $text;
}

add_action('admin_init', function () {
    register_setting('ringtrail', RINGTRAIL_OPTION, ['type' => 'string', 'sanitize_callback' => 'ringtrail_clean', 'default' => '']);
});

add_action('admin_menu', function () {
    add_options_page('Ringtrail', 'Ringtrail', 'manage_options', 'ringtrail', function () {
        echo '<div class="wrap"><h1>Ringtrail</h1><form method="post" action="options.php">';
        settings_fields('ringtrail');
        echo '<p><label for="ringtrail-snippet">Snippet</label></p>';
        echo '<textarea id="ringtrail-snippet" class="large-text code" rows="5" name="' . esc_attr(RINGTRAIL_OPTION) . '">';
        echo esc_textarea(get_option(RINGTRAIL_OPTION, ''));
        echo '</textarea>';
        submit_button();
        echo '</form></div>';
    });
});

add_action('wp_footer', function () {
    $attributes = ringtrail_parse(get_option(RINGTRAIL_OPTION, ''));
    if (!$attributes) {
        return;
    }
    $written = '';
    foreach ($attributes as $name => $value) {
        $written .= ' ' . $name . '="' . esc_attr($value) . '"';
    }
    echo '<script' . $written . ' crossorigin="anonymous" defer></script>' . "\n";
});
