"""What a reader does with a page, and sees on it."""

WAIT = 60  # seconds until a step must have shown


def until(driver, condition):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, WAIT, 0.05).until(lambda _: condition())


def resize(driver, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def find(driver, selector):
    return driver.find_element("css selector", selector)


def part(driver, name):
    return find(driver, f'[data-part="{name}"]')


def click(driver, selector):
    driver.execute_script(
        "arguments[0].scrollIntoView({block: 'center'}); arguments[0].click()", find(driver, selector)
    )


def choose(driver, name, words):
    from selenium.webdriver.support.ui import Select

    before = shown(driver)
    Select(part(driver, name)).select_by_visible_text(words)
    until(driver, lambda: shown(driver) > before)


def shown(driver):
    return int(find(driver, ".comparator").get_attribute("data-shown"))


def visible(driver, selector):
    return [item for item in driver.find_elements("css selector", selector) if item.is_displayed()]
